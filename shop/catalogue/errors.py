"""Refusals of the catalogue."""

from common.errors import Conflict, FieldRefused, NotFound, TooLarge


class NoSuchProduct(NotFound):
    title = "There is no such product."


class SlugTaken(FieldRefused):
    code, field = "slug_taken", "slug"
    title = "Another product has this slug."


class SkuTaken(FieldRefused):
    code, field = "sku_taken", "sku"
    title = "Another product has this SKU."


class FieldMissing(FieldRefused):
    """Of a row whose product is new."""

    code = "required"
    title = "A new product needs this."


class NoSuchCategory(FieldRefused):
    code, field = "unknown_category", "category"
    title = "There is no such category."


class UnknownToken(FieldRefused):
    """For whoever fills `shop.ports.TokenPricer`."""

    code, field = "unknown_token", "token"
    title = "There are no prices in this token."


class WindowReversed(FieldRefused):
    code, field = "window_reversed", "discount_ends_at"
    title = "The discount must end after it starts."


class ProductChanged(Conflict):
    code = "product_changed"
    title = "Somebody has changed this product since it was shown."


class NotAPicture(FieldRefused):
    code, field = "invalid_image", "image"
    title = "Send an undamaged PNG, JPEG or WebP picture."


class TooManyPixels(FieldRefused):
    code, field = "too_many_pixels", "image"
    title = "The picture must have at most 24 million pixels."


class PictureTooLarge(TooLarge):
    title = "A picture may be up to 5 MiB."
