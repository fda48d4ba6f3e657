from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imaginax.runtime.run_directory import RunError
from imaginax.runtime.video import frames_per_second, write_gif, write_strip


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
    assert frames_per_second(0.0, players=2) == pytest.approx(1.25)


@pytest.mark.parametrize(("count", "shown"), [(9, [0, 4, 8]), (2, [0, 1]), (1, [0])])
def test_a_strip_has_the_first_and_the_last_frame_and_some_between(tmp_path, count, shown):
    path = write_strip(tmp_path / "new" / "a.png", frames(count), pictures=3)
    with Image.open(path) as image:
        seen = np.asarray(image)
    assert seen.shape == (6, 8 * len(shown) + 2 * (len(shown) - 1), 3)
    assert seen[0, ::10, 0].tolist() == frames(count)[shown, 0, 0, 0].tolist()
    assert (seen[:, 8:10] == 255).all()


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_gif(tmp_path / "file" / "a.gif", frames(2), fps=10.0)
    with pytest.raises(RunError, match="cannot write"):
        write_strip(tmp_path / "file" / "a.png", frames(2))
