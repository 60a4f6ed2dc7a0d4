"""The benchmark: every promised number is there, whatever the machine."""

import json

import pytest

from core.__main__ import main
from core.benchmark import GRIDS, VIEWS

MEDIANS = (
    *("new_camera_ms", "part_edit_ms", "new_portrait_ms", "preview_ms", "new_camera_fp32_ms"),
    *(
        "new_camera_512_ms",
        "new_camera_1024_ms",
        "meshes_s",
        "cold_first_picture_s",
        "peak_memory_mb",
        "model_mb",
    ),
)


@pytest.mark.slow
def test_bench_writes_every_median_and_the_calibration(checkpoint, tmp_path, capsys):
    path = tmp_path / "bench.json"
    arguments = ["bench", "--model", str(checkpoint), "--device", "cpu", "--precision", "float32"]
    arguments += ["--repeats", "1", "--portraits", "2", "--json", str(path)]
    assert main(arguments) == 0
    numbers, shown = json.loads(path.read_text()), capsys.readouterr().out
    for key in MEDIANS:
        assert numbers[key] > 0, key
        assert key in shown
    for key in ("matmul_float32_gflops", "conv_float32_gflops", "copy_gb_s"):
        assert numbers["calibration"][key] > 0
    assert {"render net", "part maps", "mapping"} <= {stage["name"] for stage in numbers["stages"]}
    assert all(stage["floor_ms"] > 0 for stage in numbers["stages"])
    half, fast, *grids = numbers["agreement"]
    assert half["pictures"] == fast["pictures"] == 2 * len(VIEWS)
    assert half["tolerance"] is not None
    assert fast["tolerance"] is not None
    assert len(grids) == len(GRIDS)
