"""QR codes."""

import segno


def payment_qr(uri: str) -> str:
    """An SVG element, black on white with its quiet zone, of what a wallet's camera reads.

    Nothing of `uri` is in it as text. Raises ValueError where it is longer than a code can hold.
    """
    # Level M survives a smear on the screen, and keeps an EIP-681 link of a token under 50 modules.
    return segno.make(uri, error="m", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
