"""Photos as pictures that an image tower takes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.core.errors import InputError, one_line


def read_photo(path: Path, *, side: int) -> np.ndarray:
    """The middle square f4 [3, side, side] in 0..1 of a picture, resized as CLIP does: bicubic, upright by its EXIF.

    Raises InputError for a file that is no picture.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        reason = "no such file" if not path.is_file() else f"not a readable picture ({one_line(error)})"
        raise InputError(f"{path}: {reason}") from error
    square = ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC)
    return np.asarray(square, np.float32).transpose(2, 0, 1) / 255
