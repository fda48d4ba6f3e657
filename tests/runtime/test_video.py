from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imaginax.runtime.run_directory import RunError
from imaginax.runtime.video import frames_per_second, write_gif


def frames(count):
    """Grey images, each brighter than the one before."""
    grey = np.linspace(0, 250, count).astype(np.uint8)
    return np.broadcast_to(grey[:, None, None, None], (count, 6, 8, 3))


@pytest.mark.parametrize(("fps", "kept", "milliseconds"), [(25.0, 20, 40), (50.0, 20, 20), (100.0, 10, 20)])
def test_a_gif_plays_in_real_time(tmp_path, fps, kept, milliseconds):
    path = write_gif(tmp_path / "new" / "a.gif", frames(20), fps=fps)
    with Image.open(path) as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (kept, (8, 6), 0)
        seen = []
        for number in range(kept):
            image.seek(number)
            assert image.info["duration"] == milliseconds
            seen.append(image.convert("RGB").getpixel((0, 0))[0])
    assert seen == frames(20)[:: 20 // kept, 0, 0, 0].tolist()


def test_frames_per_second():
    assert frames_per_second(0.04) == pytest.approx(25)
    assert frames_per_second(0.0) == 10


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_gif(tmp_path / "file" / "a.gif", frames(2), fps=10.0)
