"""App configuration: which ways to pay there are, and who prices in tokens."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models can be imported only once the apps are ready.
        from django.conf import settings  # noqa: PLC0415

        from payments.crypto.port import CryptoGateway  # noqa: PLC0415
        from payments.intake import ports  # noqa: PLC0415
        from payments.intake.rules import Method  # noqa: PLC0415
        from payments.market.port import MarketPricer  # noqa: PLC0415
        from payments.stripe.port import StripeGateway  # noqa: PLC0415
        from payments.wallet.port import WalletGateway  # noqa: PLC0415
        from shop.ports import register_token_pricer  # noqa: PLC0415

        ports.register(Method.STRIPE, StripeGateway())
        ports.register(Method.WALLET, WalletGateway())
        if settings.CHAIN_XPUB:
            ports.register(Method.CRYPTO, CryptoGateway())
        register_token_pricer(MarketPricer())
