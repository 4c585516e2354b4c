"""Files of weights: what is read and under which names, what is refused, and that no file can run code."""

import argparse
import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from circuits.errors import InputError
from circuits.network.checkpoints import read_state_dicts
from circuits.network.weights import fit_weights, load_weights, read_weights
from tests.support.nets import randomize, seeded


def small() -> nn.Sequential:
    return randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)))


def tensors(path: object) -> dict[str, torch.Tensor]:
    """What a file holds for `small()`."""
    return read_weights(path, small()).tensors


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)


def loaded(path: object, module: nn.Module | None = None) -> dict[str, torch.Tensor]:
    """The parameters of a module after a file was loaded into it."""
    module = randomize(small(), 9) if module is None else module
    load_weights(module, path)
    return module.state_dict()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_floats_of_any_size_become_those_of_the_network(tmp_path, dtype, suffix):
    state = {
        name: value.to(dtype) if value.is_floating_point() else value for name, value in small().state_dict().items()
    }
    path = tmp_path / f"net.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    found = loaded(path)
    assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}
    counts = [name for name in state if name.endswith("num_batches_tracked")]
    assert all(torch.equal(found[name], state[name].float()) for name in state if name not in counts)


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.bin", "net"])
def test_a_state_dict_is_read_whatever_its_file_is_called(tmp_path, name):
    state = small().state_dict()
    torch.save(state, tmp_path / name)
    assert same(tensors(str(tmp_path / name)), state)


def test_a_state_dict_in_the_old_format_is_read(tmp_path):
    state = small().state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(tensors(tmp_path / "old.pth"), state)


def test_a_state_dict_of_another_pickle_protocol_is_read(tmp_path):
    state = small().state_dict()
    torch.save(state, tmp_path / "new.pth", pickle_protocol=3)
    assert same(tensors(tmp_path / "new.pth"), state)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_nested_state_dict_of_a_parallel_module_is_unwrapped(tmp_path, wrapper):
    state = small().state_dict()
    parallel = {f"module.{name}": value for name, value in state.items()}
    torch.save({wrapper: parallel, "epoch": 90, "best": 0.7}, tmp_path / "checkpoint.pth")
    assert same(tensors(tmp_path / "checkpoint.pth"), state)


def test_a_state_dict_within_a_model_within_a_checkpoint_is_unwrapped(tmp_path):
    state = small().state_dict()
    torch.save({"state_dict": {"model": state}}, tmp_path / "checkpoint.pth")
    assert same(tensors(tmp_path / "checkpoint.pth"), state)


class MakesFolder:
    """What an attacker would pickle: unpickling it calls a function."""

    def __init__(self, path: object) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("modern", [True, False])
def test_pickled_code_is_refused_and_never_run(tmp_path, modern):
    trap = MakesFolder(tmp_path / "trapped")
    state = {"weight": torch.ones(2), "trap": trap}
    torch.save(state, tmp_path / "evil.pth", _use_new_zipfile_serialization=modern)
    with pytest.raises(
        InputError, match=r"evil\.pth' holds pickled code, which is never run here; save only the state"
    ):
        tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "trapped").exists()
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "trapped").exists()  # the trap does work


def test_a_plain_pickle_with_code_is_refused_and_never_run(tmp_path):
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(MakesFolder(tmp_path / "trapped")))
    with pytest.raises(InputError, match=r"evil\.pt' (holds pickled code|could not be read as weights)"):
        tensors(tmp_path / "evil.pt")
    assert not (tmp_path / "trapped").exists()


def test_a_whole_pickled_module_is_refused(tmp_path):
    torch.save(small(), tmp_path / "module.pth")
    with pytest.raises(
        InputError, match=r"module\.pth' holds pickled code, .*torch\.save\(module\.state_dict\(\), path\)"
    ):
        tensors(tmp_path / "module.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 1, 7, 100, 0.5, 0.99])
def test_a_truncated_file_is_called_damaged(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pth":
        torch.save(small().state_dict(), path)
    else:
        save_file(small().state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=rf"^'.*cut\{suffix}' could not be read as weights .*; it may be damaged\.$"):
        tensors(path)


def test_files_of_noise_are_called_damaged(tmp_path):
    source = seeded(1)
    for number in range(150):
        noise = bytes(
            torch.randint(0, 256, (int(torch.randint(1, 300, (), generator=source)),), generator=source).tolist()
        )
        for name, start in (("noise.pth", b""), ("noise.pth", b"\x80\x02"), ("noise.safetensors", b"")):
            (tmp_path / name).write_bytes(start + noise)
            with pytest.raises(InputError, match=r"noise\.(pth|safetensors)' (could not be read as|holds)"):
                tensors(tmp_path / name)
        assert number < 150


@pytest.mark.parametrize("text", ["hello", "<html>404</html>", "{}", "import os\nos.mkdir('trapped')\n"])
def test_a_file_of_text_is_called_damaged(tmp_path, text):
    (tmp_path / "text.pth").write_text(text)
    with pytest.raises(InputError, match=r"text\.pth' (could not be read as weights|holds pickled code)"):
        tensors(tmp_path / "text.pth")


def test_a_zip_file_of_something_else_is_called_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("cat.txt", "meow")
    with pytest.raises(InputError, match=r"photos\.pth' could not be read as weights"):
        tensors(tmp_path / "photos.pth")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(
            InputError, match=r"^There is no weights file '.*'; give a \.safetensors or \.pth file that e"
        ):
            tensors(path)


@pytest.mark.parametrize(
    "content", [{}, [torch.ones(2)], torch.ones(2), {"a": 1, "epoch": 3}, {"state_dict": {}}, "text", 3]
)
def test_what_is_no_state_dict_of_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(
        InputError, match=r"other\.pth' holds no state dict of tensors; save one with torch\.save\(module"
    ):
        tensors(tmp_path / "other.pth")


def test_weights_that_fit_are_loaded():
    source, target = small(), randomize(small(), 9)
    fit_weights(target, source.state_dict(), what="They")
    assert same(target.state_dict(), source.state_dict())


def test_counts_of_batches_may_be_missing():
    state = {name: value for name, value in small().state_dict().items() if not name.endswith("num_batches_tracked")}
    target = randomize(small(), 9)
    fit_weights(target, state, what="They")
    assert torch.equal(target[1].running_var, state["1.running_var"])


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    state = {name: value for name, value in small().state_dict().items() if not name.startswith("1.")}
    state["spare.weight"] = torch.ones(2)
    state["3.weight"] = torch.ones(5, 4)
    target = randomize(small(), 9)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    expected = (
        r"^My weights do not fit the network: missing: 1\.weight, 1\.bias, 1\.running_mean, 1\.running_var; "
        r"unknown: spare\.weight; of another shape: 3\.weight is \(5, 4\) and should be \(2, 4\)\.$"
    )
    with pytest.raises(InputError, match=expected):
        fit_weights(target, state, what="My weights")
    assert same(target.state_dict(), before)


def test_a_long_list_of_missing_weights_is_cut_short():
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(10)))
    with pytest.raises(InputError, match=r"missing: 0\.weight, 0\.bias, 1\.weight, 1\.bias and 16 more\.$"):
        fit_weights(module, {}, what="They")


def wide() -> nn.Sequential:
    return randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2)))


class Wrapped(nn.Module):
    """Keeps a network as `module`, as averages of weights do."""

    def __init__(self) -> None:
        super().__init__()
        self.module = wide()


def zeroed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(value) for name, value in state.items()}


def under(front: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {front + name: value for name, value in state.items()}


STATE = wide().state_dict()


@pytest.mark.parametrize(
    "content",
    [
        *({key: STATE, "epoch": 3} for key in ("state_dict", "model_state_dict", "model", "net", "params", "ours")),
        {"state": {"model": STATE}},
        {"model": STATE, "args": argparse.Namespace(lr=1), "best": np.float64(3), "where": Path("there")},
        {**STATE, "epoch": 3, "arch": "small"},
        {**STATE, "total_ops": torch.zeros(1), "total_params": torch.zeros(1), "0.total_ops": torch.zeros(1)},
        {**STATE, "1.num_batches_tracked": torch.tensor(3)},
        *(under(front, STATE) for front in ("module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "a.b.")),
        {"0.module.weight": STATE["0.weight"], "0.module.bias": STATE["0.bias"], **under("_orig_mod.", {
            name: value for name, value in STATE.items() if name.startswith("2.")})},
        {"state_dict": {**under("model.", STATE), "criterion.weight": torch.ones(5)}, "pytorch-lightning_version": "2"},
        {"state_dict": under("model._orig_mod.", STATE)},
        {**under("module.", STATE), "n_averaged": torch.tensor(7)},
    ],
)  # fmt: skip
def test_a_checkpoint_is_loaded_whatever_wraps_its_weights(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    module = randomize(wide(), 9)
    assert load_weights(module, tmp_path / "net.pth") == "file:net.pth"
    assert same(module.state_dict(), STATE)


@pytest.mark.parametrize("content", [under("module.", STATE), STATE, {"net": under("_orig_mod.module.", STATE)}])
def test_a_module_that_is_called_module_keeps_its_name(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    own = Wrapped()
    load_weights(own, tmp_path / "net.pth")
    assert same(own.state_dict(), under("module.", STATE))


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ({"state_dict": zeroed(STATE), "state_dict_ema": STATE}, "state_dict_ema"),
        ({"model": zeroed(STATE), "model_ema": STATE}, "model_ema"),
        ({"model": zeroed(STATE), "ema": {"module": STATE}}, "ema.module"),
        ({"params": zeroed(STATE), "params_ema": STATE}, "params_ema"),
        ({"state_dict": {**under("model.", zeroed(STATE)), **under("ema_model.", STATE)}}, "state_dict.ema_model"),
        ({"model": STATE, "teacher": zeroed(STATE)}, "model"),
        ({"teacher": zeroed(STATE), "state_dict": STATE}, "state_dict"),
    ],
)
def test_of_several_weights_the_averaged_or_usual_ones_are_taken_and_named(tmp_path, content, taken):
    torch.save(content, tmp_path / "net.pth")
    module = randomize(wide(), 9)
    assert load_weights(module, tmp_path / "net.pth") == f"file:net.pth, {taken}"
    assert same(module.state_dict(), STATE)


def test_of_several_weights_of_which_none_is_usual_none_is_guessed(tmp_path):
    torch.save({"teacher": STATE, "student": zeroed(STATE)}, tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"net\.pth' holds several weights that fit: teacher, student; save the ones"):
        load_weights(wide(), tmp_path / "net.pth")


def in_parts(folder, suffix: str) -> Path:
    names = list(STATE)
    files = {f"model-0000{at}-of-00002.{suffix}": names[(at - 1) * 2 : at * 2] for at in (1, 2)}
    for file, some in files.items():
        state = {name: STATE[name] for name in some}
        save_file(state, folder / file) if suffix == "safetensors" else torch.save(state, folder / file)
    index = folder / f"model.{suffix}.index.json"
    weight_map = {name: file for file, some in files.items() for name in some}
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_checkpoint_in_parts_is_read_by_its_index(tmp_path, suffix):
    assert same(loaded(in_parts(tmp_path, suffix), wide()), STATE)


def test_a_part_alone_and_an_index_without_its_parts_are_told(tmp_path):
    index = in_parts(tmp_path, "safetensors")
    part = tmp_path / "model-00001-of-00002.safetensors"
    with pytest.raises(
        InputError, match=r"missing: 2\.weight, 2\.bias\. It is one part of several; give their index, "
    ):
        load_weights(wide(), part)
    part.unlink()
    with pytest.raises(InputError, match=r"has 2 parts, of which are missing: model-00001-of-00002\.safetensors; put"):
        load_weights(wide(), index)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "is no index of weights; that has a weight_map"),
        ('{"weight_map": {"0.weight": "../net.pth"}}', "names parts that are no files of weights beside it"),
        ('{"weight_map": {"0.weight": "net.index.json"}}', "names parts that are no files of weights beside it"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path, content, sentence):
    (tmp_path / "net.index.json").write_text(content)
    with pytest.raises(InputError, match=sentence):
        load_weights(wide(), tmp_path / "net.index.json")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.pth", b"<!DOCTYPE html><html>404: Not Found</html>", "it is a web page"),
        (
            "a.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n",
            "it is a pointer of Git LFS",
        ),
        ("a.onnx", b"\x08\x07\x12\x07pytorch", "it is an ONNX graph"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "it is an HDF5 file"),
        ("a.pth", b"\x89HDF\r\n\x1a\n" + bytes(99), "it is an HDF5 file"),
        ("a.pth.gz", b"\x1f\x8b" + bytes(99), "it is compressed"),
        ("a.tflite", b"\x1c\0\0\0TFL3", "it is a TensorFlow Lite graph"),
    ],
)
def test_what_is_no_checkpoint_is_told_by_what_it_is(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        tensors(tmp_path / name)


def test_a_torchscript_archive_is_told_as_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:  # torch's own writer is deprecated
        for member in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"):
            archive.writestr(member, b"\x80\x02N.")
    with pytest.raises(
        InputError, match=r"net\.pt' is a TorchScript archive, whose code is never run here; save its w"
    ):
        tensors(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda value: (value * 100).to(torch.int8), "0.weight is int8 and should be float32"),
        (lambda value: value.to(torch.int64), "0.weight is int64 and should be float32"),
        (lambda value: value > 0, "0.weight is bool and should be float32"),
        (lambda value: value.to(torch.complex64), "0.weight is complex64 and should be float32"),
        (lambda value: value.to_sparse(), "0.weight is sparse float32 and should be float32"),
        (lambda value: value.to("meta"), "0.weight is float32 without data and should be float32"),
    ],
)
def test_numbers_of_another_kind_are_refused_and_nothing_is_loaded(tmp_path, change, sentence):
    torch.save({name: change(value) for name, value in STATE.items()}, tmp_path / "net.pth")
    module = wide()
    with pytest.raises(InputError, match=f"not converted, so save them as the network has them: {re.escape(sentence)}"):
        load_weights(module, tmp_path / "net.pth")
    assert same(module.state_dict(), STATE)


def rewritten(path: Path, old: bytes, new: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    """An archive of `torch.save` with other bytes in its pickle, or with 200 MB of zeros as its data, packed."""
    members = {}
    with zipfile.ZipFile(path) as archive:
        for each in archive.infolist():
            members[each.filename] = archive.read(each)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            if name.endswith("data.pkl"):
                data = data.replace(old, new)
            elif "/data/" in name and compression:
                data = bytes(200 * 2**20) if name.endswith("/0") else data
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save({**STATE, "x": torch.zeros(1, dtype=torch.float16).expand(10**10)}, path),
        lambda path: torch.save({**STATE, "2.weight": torch.zeros(1).expand(10**10)}, path),
        lambda path: (torch.save(STATE, path), rewritten(path, b"K\x08tq", b"J\0\xca\x9a\x3btq")),
        lambda path: (torch.save(STATE, path), rewritten(path, b"", b"", zipfile.ZIP_DEFLATED)),
        lambda path: path.write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\0\xca\x9a\x3b\x85R."),
    ],
    ids=["expanded beside", "expanded", "a storage of a billion", "packed", "of any size"],
)
def test_a_small_file_asks_for_little_memory(tmp_path, write):
    path = tmp_path / "net.pth"
    write(path)
    assert path.stat().st_size < 2**20
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="net"):
        load_weights(wide(), path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


def test_all_state_dicts_of_a_checkpoint_are_found_once(tmp_path):
    content: dict[str, object] = {"model": STATE, "deeper": {"ema": STATE, "lr": 0.1}}
    content["itself"] = content
    torch.save(content, tmp_path / "net.pth")
    assert [state.label for state in read_state_dicts(tmp_path / "net.pth")] == ["model"]


@pytest.mark.parametrize("wrap", [lambda state: (state, 3), lambda state: {"state_dicts": [{"lr": 0.1}, state]}])
def test_a_state_dict_may_lie_in_a_tuple_or_a_list(tmp_path, wrap):
    state = small().state_dict()
    torch.save(wrap(state), tmp_path / "net.pth")
    assert same(tensors(str(tmp_path / "net.pth")), state)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_names_that_a_modules_own_hooks_translate_are_taken(tmp_path):
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2))
    torch.save({"state_dict": old.state_dict()}, tmp_path / "old.pth")
    assert load_weights(new, tmp_path / "old.pth") == "file:old.pth"
    photo = torch.linspace(-1, 1, 6).view(2, 3)
    torch.testing.assert_close(new(photo), old(photo))
    torch.save({"0.weight_g": torch.ones(4, 1)}, tmp_path / "part.pth")
    with pytest.raises(InputError, match=r"missing: 0\.bias, .* unknown: 0\.weight_g"):
        load_weights(new, tmp_path / "part.pth")
