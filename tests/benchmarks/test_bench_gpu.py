"""The script that compares a GPU with the CPU, with the CPU in the GPU's place."""

import pytest
from typer import Exit

from benchmarks import bench_gpu
from circuits import discard, load_network, trace


def test_the_table_has_a_row_for_each_network(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_gpu, "milliseconds", lambda run, device, **_: run() is None or 2.0)
        bench_gpu.main(device="cpu", networks="builtin")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("| builtin | 0.0e+00 | 0.0e+00 | 0.0e+00 | 0.0e+00 | 2.0 → 2.0 |")
    assert lines[-1].count("|") == lines[-3].count("|")


def test_a_machine_without_a_gpu_is_told_so(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(Exit):
        bench_gpu.main(device="cuda", networks="builtin")
    assert "nothing to measure" in capsys.readouterr().out


def test_circuits_that_differ_are_told_apart() -> None:
    network = load_network()
    one = trace(network, "example:cat", depth=1, top=3)
    assert bench_gpu.difference(one, one) == 0
    fewer = discard(one, one.edges_into(one.root)[0].source)
    assert bench_gpu.difference(one, fewer) == float("inf")
    other = trace(network, "example:cat", depth=1, top=3, mode="ig")
    if one.nodes.keys() == other.nodes.keys():
        assert 0 < bench_gpu.difference(one, other) < 1
