"""Atlases of small networks over a few photos: the numbers, and the same bytes whoever computes them."""

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath

import pytest
import torch

from circuits.atlas import plan
from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.atlas.engines import Engine, inline, processes
from circuits.atlas.plan import Job, jobs_of, read_classes
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.work import BucketWork, Tick
from circuits.attribution.links import find_links
from circuits.attribution.weight_links import LinkPass
from circuits.errors import InputError, UnknownError
from circuits.image.photo import load_photo
from circuits.network.network import Network
from tests.atlas.conftest import save_photo
from tests.support.limits import PATIENCE
from tests.support.linked import linked_network, sources_and_shares


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of four photos, so that classes have several."""
    monkeypatch.setattr(plan, "BUCKET", 4)


def contents(folder: Path) -> dict[str, bytes]:
    """What is read of an atlas, and all sums, by name; the folder of the photos left out."""
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.safetensors")}
    return files | {"atlas.json": (folder / "atlas.json").read_bytes()}


def backwards(work: BucketWork, jobs: "list[Job]", tick: Tick) -> Iterator[Path]:
    """Compute the buckets in another order."""
    yield from inline(work, jobs[::-1], tick)


def dies_after(count: int) -> Engine:
    """An engine that computes some buckets, and is then ended in the midst of one."""

    def run(work: BucketWork, jobs: "list[Job]", tick: Tick) -> Iterator[Path]:
        yield from inline(work, jobs[:count], tick)
        process = multiprocessing.get_context("fork").Process(target=_die_in, args=(work, jobs[count]))
        process.start()
        process.join(PATIENCE)
        process.kill()
        assert process.exitcode == -9, "The process that was to be ended in the midst of a bucket has not begun one."
        raise KeyboardInterrupt

    return run


def _die_in(work: BucketWork, job: Job) -> None:
    import os
    import signal

    work(job, lambda photos: os.kill(os.getpid(), signal.SIGKILL))


class TestNumbers:
    def test_contributions_and_links_are_means_over_the_photos_of_a_class(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        atlas, links = Atlas.open(tmp_path / "atlas"), find_links(network)[0]
        run = LinkPass(network, links)
        inputs = [network.preprocessing.input_of(load_photo(file)) for file in sorted((photos / "class 1").iterdir())]
        batch = run(torch.cat(inputs), 1)
        for layer in network.layers:
            each = batch.contributions[layer]
            assert atlas.table("contribution", layer, 1) == pytest.approx(each.mean(0).numpy(), rel=1e-4, abs=1e-6)
            error = each.std(0) / len(inputs) ** 0.5
            assert atlas.table("contribution.error", layer, 1) == pytest.approx(error.numpy(), rel=1e-3, abs=1e-5)
            peaks = batch.peaks[layer]
            assert atlas.table("peak", layer, 1) == pytest.approx(peaks.mean(0).numpy(), rel=1e-4, abs=1e-6)
            assert atlas.table("fires", layer, 1).tolist() == (peaks > 0).sum(0).tolist()
        for channel in range(5):
            expected = sources_and_shares(links, batch.links, "last", channel)
            found = {str(link.source): link.share for link in atlas.links(f"last:{channel}", 1)}
            assert found == pytest.approx({name: expected[name] / len(inputs) for name in found}, rel=1e-4, abs=1e-6)
            assert {
                name for name, share in expected.items() if abs(share) > 1e-5
            } <= found.keys()  # fewer than are kept

    def test_links_are_told_from_both_ends(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        atlas = Atlas.open(tmp_path / "atlas")
        [strongest, *_] = atlas.strongest("last", "class 1")
        links = atlas.links(strongest.unit, "class 1")
        assert links
        assert all(link in atlas.users(link.source, "class 1") for link in links)
        [best, *_] = atlas.links(f"head:{1}", "class 1")
        assert best.source == strongest.unit
        assert best.share == pytest.approx(strongest.contribution.mean, rel=1e-5)

    def test_summit_counts_the_fewest_units_that_hold_a_part_of_the_peaks(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas", classes=["class 0"])
        inputs = [network.preprocessing.input_of(load_photo(file)) for file in (photos / "class 0").iterdir()]
        counts = [0] * 13
        for peaks in network.activations(torch.cat(inputs), ["cat"])["cat"].amax((2, 3)).clamp(min=0).tolist():
            held = 0.0
            for channel in sorted(range(13), key=lambda unit: -peaks[unit]):
                if held >= 0.03 * sum(peaks):
                    break
                counts[channel] += 1
                held += peaks[channel]
        assert Atlas.open(tmp_path / "atlas").table("summit", "cat", 0).tolist() == counts

    def test_books_of_a_class_close(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        atlas = Atlas.open(tmp_path / "atlas")
        for channel in range(13):
            unit = atlas.unit(f"cat:{channel}", "class 0")
            assert unit.total == pytest.approx(unit.contribution.mean, rel=1e-5, abs=1e-6)  # it has no bias

    def test_errors_of_links_are_those_of_disjoint_batches(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas", classes=["class 0"])
        atlas, links = Atlas.open(tmp_path / "atlas"), find_links(network)[0]
        entries = plan.collect(network, photos, ["class 0"]).classes[0]
        batches = [
            [network.preprocessing.input_of(load_photo(photos / photo.path)) for photo in job.photos]
            for job in jobs_of({0: entries})
        ]  # of eight photos at most, and no bucket here has more
        assert max(map(len, batches)) <= 8
        run = LinkPass(network, links)
        sums = [sources_and_shares(links, run(torch.cat(batch), 0).links, "last", 2) for batch in batches]
        photos_in_all = sum(map(len, batches))
        for link in atlas.links("last:2", "class 0"):
            name = str(link.source)
            mean = sum(each[name] for each in sums) / photos_in_all
            spread = sum(
                (each[name] - len(batch) * mean) ** 2 / len(batch) for each, batch in zip(sums, batches, strict=True)
            )
            assert link.error == pytest.approx((spread / (len(batches) - 1) / photos_in_all) ** 0.5, rel=1e-3)
            first = [sorted((n for n in each if each[n] > 0), key=lambda n: -each[n])[:5] for each in sums]
            inside = [len(batch) for batch, five in zip(batches, first, strict=True) if name in five]
            share = sum(inside) / photos_in_all
            assert link.consistency == pytest.approx(share, abs=1e-6)

    def test_all_classes_together_are_the_mean_over_all_photos(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        atlas = Atlas.open(tmp_path / "atlas")
        run = LinkPass(network, find_links(network)[0])
        every = []
        for channel, folder in enumerate(("class 0", "class 1", "class_2")):
            inputs = [network.preprocessing.input_of(load_photo(file)) for file in (photos / folder).iterdir()]
            every.append(run(torch.cat(inputs), channel).contributions["last"])
        together = torch.cat(every)
        assert atlas.table("contribution", "last") == pytest.approx(together.mean(0).numpy(), rel=1e-4, abs=1e-6)
        error = together.std(0) / len(together) ** 0.5
        assert atlas.table("contribution.error", "last") == pytest.approx(error.numpy(), rel=1e-3, abs=1e-5)
        means = torch.stack([each.mean(0) for each in every])
        assert atlas.selectivity("last") == pytest.approx((means - means.mean(0)).numpy(), rel=1e-3, abs=1e-5)
        served = atlas.classes_of("last:3")
        self._check_links_over_all_classes(atlas, network, photos)
        assert [each.number for each in served] == means[:, 3].argsort(descending=True).tolist()
        assert served[0].selectivity == pytest.approx(float((means - means.mean(0))[:, 3].max()), rel=1e-3)

    def _check_links_over_all_classes(self, atlas: Atlas, network: Network, photos: Path) -> None:
        """They are the means over all photos, each for its own class, with the variance within and between classes."""
        links, every = find_links(network)[0], []
        run = LinkPass(network, links)
        for channel, folder in enumerate(("class 0", "class 1", "class_2")):
            for file in (photos / folder).iterdir():
                batch = run(network.preprocessing.input_of(load_photo(file)), channel)
                every.append([sources_and_shares(links, batch.links, *at) for at in (("last", 3), ("head", channel))])
        assert len(every) == 25
        found = {str(link.source): link for link in atlas.links("last:3")}
        assert len(found) == 13
        for name, link in found.items():
            assert link.share == pytest.approx(sum(row[name] for row, _ in every) / 25, rel=1e-4, abs=1e-6)
            assert link.photos == 25
            own = [next(each for each in atlas.links("last:3", of) if str(each.source) == name) for of in range(3)]
            within = sum(n * (n - 1) * each.error**2 for n, each in zip((11, 11, 3), own, strict=True) if n > 8)
            between = sum(n * (each.share - link.share) ** 2 for n, each in zip((11, 11, 3), own, strict=True))
            assert link.error == pytest.approx(((within + between) / 24 / 25) ** 0.5, rel=1e-3, abs=1e-6)
            consistency = sum(n * each.consistency for n, each in zip((11, 11, 3), own, strict=True)) / 25
            assert link.consistency == pytest.approx(consistency, abs=1e-6)
        head = sum(row["last:3"] for _, row in every[:11]) / 25  # in photos of its class, and 0 in others
        [link] = [link for link in atlas.links("head:0") if str(link.source) == "last:3"]
        assert link.share == pytest.approx(head, rel=1e-4, abs=1e-6)
        assert link in atlas.users("last:3")
        unit = atlas.unit("cat:4")
        assert unit.total == pytest.approx(unit.contribution.mean, rel=1e-4, abs=1e-6)  # the books close here too


class TestSameBytes:
    @pytest.fixture
    def expected(self, network: Network, photos: Path, tmp_path: Path) -> dict[str, bytes]:
        build_atlas(network, photos, tmp_path / "one")
        return contents(tmp_path / "one")

    def test_of_two_processes(self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "two", engine=processes(2), load=partial(linked_network, "branches"))
        assert contents(tmp_path / "two") == expected

    def test_in_another_order_and_in_parts(
        self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path
    ) -> None:
        engine: Engine = backwards  # type: ignore[assignment]
        first = build_atlas(network, photos, tmp_path / "two", engine=engine, load=lambda: network, part=(2, 2))
        assert first.missing > 0
        assert not (tmp_path / "two" / "atlas.json").exists()
        assert build_atlas(network, photos, tmp_path / "two", part=(1, 2)).missing == 0
        assert contents(tmp_path / "two") == expected

    def test_after_a_kill(self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            build_atlas(network, photos, tmp_path / "two", engine=dies_after(2), load=lambda: network)
        written = list((tmp_path / "two" / "buckets").rglob("*.safetensors"))
        assert len(written) == 2
        times = {file: file.stat().st_mtime_ns for file in written}
        build_atlas(network, photos, tmp_path / "two")
        assert contents(tmp_path / "two") == expected
        assert times == {file: file.stat().st_mtime_ns for file in written}  # they were not computed again

    def test_of_two_commands_at_once_which_share_the_work(
        self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path
    ) -> None:
        times: dict[Path, int] = {}

        def late(work: BucketWork, jobs: "list[Job]", tick: Tick) -> Iterator[Path]:
            build_atlas(network, photos, tmp_path / "two")  # somebody else does it all meanwhile
            times.update((file, file.stat().st_mtime_ns) for file in (tmp_path / "two").glob("buckets/*/*"))
            yield from inline(work, jobs, tick)

        done: list[int] = []
        engine: Engine = late  # type: ignore[assignment]
        build_atlas(
            network,
            photos,
            tmp_path / "two",
            engine=engine,
            load=lambda: network,
            progress=lambda d, *_: done.append(d),
        )
        assert max(done) == 25
        assert contents(tmp_path / "two") == expected
        assert times
        assert times == {file: file.stat().st_mtime_ns for file in times}

    def test_wherever_the_photos_lie(self, network: Network, photos: Path, tmp_path: Path) -> None:
        (photos / "class_2" / "notes.txt").write_text("no photo")
        shutil.copytree(photos, tmp_path / "elsewhere" / "photos")
        build_atlas(network, photos, tmp_path / "one", classes=["class 2"])
        build_atlas(network, tmp_path / "elsewhere" / "photos", tmp_path / "two", classes=["class 2"])
        one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
        assert one.pop("atlas.json") != two.pop("atlas.json")  # which name the folder of the photos
        assert one == two

    def test_after_removing_and_adding_photos(
        self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path
    ) -> None:
        moved = tmp_path / "moved.png"
        shutil.copy(photos / "class 0" / "4.png", moved)
        (photos / "class 0" / "4.png").unlink()
        shutil.rmtree(photos / "class_2")
        build_atlas(network, photos, tmp_path / "one")
        fewer = contents(tmp_path / "one")
        changed = [name for name in fewer if "buckets" in name and fewer[name] != expected[name]]
        assert len(changed) == 1  # the bucket that it was in
        assert not (tmp_path / "one" / "classes" / "00002.safetensors").exists()
        shutil.copy(moved, photos / "class 0" / "4.png")
        for number in range(3):
            save_photo(photos / "class_2" / f"{number}.png", 200 + number)
        build_atlas(network, photos, tmp_path / "one")
        assert contents(tmp_path / "one") == expected

    def test_when_buckets_are_put_together(
        self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path
    ) -> None:
        read = {name: content for name, content in expected.items() if not name.startswith("buckets")}
        build_atlas(network, photos, tmp_path / "two", compact=True)
        found = contents(tmp_path / "two")
        assert [name for name in found if name.startswith("buckets")] == [
            f"buckets/{channel:05}/all.safetensors" for channel in range(3)
        ]
        assert read == {name: content for name, content in found.items() if not name.startswith("buckets")}
        build_atlas(network, photos, tmp_path / "two")
        assert contents(tmp_path / "two") == found  # nothing was computed again
        (photos / "class 0" / "4.png").unlink()
        save_photo(photos / "class 0" / "4.png", 4)
        save_photo(photos / "class 0" / "99.png", 99)
        build_atlas(network, photos, tmp_path / "two")
        assert len(list((tmp_path / "two" / "buckets" / "00000").glob("bucket-*-of-4.safetensors"))) == 4
        (photos / "class 0" / "99.png").unlink()
        build_atlas(network, photos, tmp_path / "two")
        assert read.items() <= contents(tmp_path / "two").items()

    def test_class_by_class(self, expected: dict[str, bytes], network: Network, photos: Path, tmp_path: Path) -> None:
        for name in ("class 1", "class 2", "class 0"):
            build_atlas(network, photos, tmp_path / "two", classes=[name])
        assert contents(tmp_path / "two") == expected
        shutil.rmtree(photos / "class 1")
        save_photo(photos / "class 0" / "99.png", 99)
        build_atlas(network, photos, tmp_path / "two", classes=["class 0"])  # which says nothing of class 1
        atlas = Atlas.open(tmp_path / "two")
        assert [(each.number, each.photos) for each in atlas.classes] == [(0, 12), (1, 11), (2, 3)]
        build_atlas(network, photos, tmp_path / "two")
        assert [each.number for each in Atlas.open(tmp_path / "two").classes] == [0, 2]


class TestPhotos:
    def test_a_changed_photo_is_computed_again(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        before = Atlas.open(tmp_path / "atlas").unit("stem:0", "class 0").peak
        save_photo(photos / "class 0" / "4.png", 999)
        build_atlas(network, photos, tmp_path / "atlas")
        assert Atlas.open(tmp_path / "atlas").unit("stem:0", "class 0").peak != before

    def test_files_that_are_no_photos_are_named_and_skipped(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        (photos / "class 0" / "notes.txt").write_text("no photo")
        build_atlas(network, photos, tmp_path / "atlas")
        atlas = Atlas.open(tmp_path / "atlas")
        assert atlas.photos == 25
        assert list(atlas.skipped) == ["class 0/notes.txt"]
        assert "notes.txt" in atlas.skipped["class 0/notes.txt"]

    def test_a_class_whose_photos_cannot_be_read_any_more_is_left_out(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        for file in (photos / "class_2").iterdir():
            file.write_text("no photo")
        build_atlas(network, photos, tmp_path / "atlas")
        assert [each.number for each in Atlas.open(tmp_path / "atlas").classes] == [0, 1]
        build_atlas(network, photos, tmp_path / "atlas", classes=["class 0"])
        assert [each.number for each in Atlas.open(tmp_path / "atlas").classes] == [0, 1]

    def test_a_photo_in_which_the_network_overflows_is_skipped(self, tmp_path: Path) -> None:
        network = linked_network("chain")
        with torch.no_grad():
            for parameter in network.traced.parameters():
                parameter.mul_(1e13)
        save_photo(tmp_path / "photos" / "class 0" / "one.png", 1)
        with pytest.raises(InputError, match="There is no photo that can be read"):
            build_atlas(network, tmp_path / "photos", tmp_path / "atlas")

    def test_numbers_that_do_not_fit_are_refused(self, photos: Path, tmp_path: Path) -> None:
        network = linked_network("chain")
        with torch.no_grad():
            for parameter in network.traced.parameters():
                parameter.mul_(1e4)
        with pytest.raises(InputError, match=r"at most .* fits into an atlas"):
            build_atlas(network, photos, tmp_path / "atlas")

    def test_a_list_says_which_photo_is_of_which_class(self, network: Network, photos: Path, tmp_path: Path) -> None:
        rows = ["photo,class", "photos/class 0/1.png,class 1", "photos/class_2/0.png,1", "photos/class 0/2.png,class 0"]
        (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
        build_atlas(network, tmp_path / "list.csv", tmp_path / "atlas")
        assert {each.label: each.photos for each in Atlas.open(tmp_path / "atlas").classes} == {
            "class 0": 1,
            "class 1": 2,
        }

    def test_folders_may_be_called_otherwise(self, network: Network, photos: Path, tmp_path: Path) -> None:
        (photos / "class 0").rename(photos / "n01440764")
        found = build_atlas(network, photos, tmp_path / "atlas", classes={"n01440764": "class 2"})
        assert {channel: len(entries) for channel, entries in found.classes.items()} == {2: 11}
        assert found.unknown == {"class 1": 11, "class_2": 3}
        with pytest.raises(InputError, match="has none of the folders gone, whose classes are given; it has class 1, "):
            build_atlas(network, photos, tmp_path / "other", classes={"gone": "class 2"})

    def test_a_list_is_read_as_spreadsheets_write_it_and_gives_one_class(self, tmp_path: Path) -> None:
        file = tmp_path / "list.csv"
        for text in (
            "folder,class\nn01/,a cat\n",
            "\ufeffClass; Folder\r\na cat; n01\r\n;\r\n",
            "folder\tclass\nn01\ta cat",
        ):
            file.write_text(text, "utf-8")
            assert read_classes(file, "folder") == {PurePath("n01"): "a cat"}
        for text, said in {
            "": "no columns folder and class",
            "folder,class\nn01": "no class in line 2",
            "folder,class\nn01,cat\nn01,dog": "says of n01 both cat and dog; give a folder one class",
            "folder,class\n" + "x" * 200_000: "is no CSV",
        }.items():
            file.write_text(text, "utf-8")
            with pytest.raises(InputError, match=said):
                read_classes(file, "folder")

    def test_folders_that_are_no_class_are_refused_if_there_are_no_others(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        for folder in photos.iterdir():
            folder.rename(photos / f"thing of {folder.name}")
        with pytest.raises(InputError, match=r"No folder in .* is named after a class"):
            build_atlas(network, photos, tmp_path / "atlas")

    def test_classes_that_the_network_lacks_are_refused(self, network: Network, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(UnknownError, match="No class 'dog'"):
            build_atlas(network, photos, tmp_path / "atlas", classes=["dog"])


class TestFolder:
    def test_another_network_is_refused(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        with pytest.raises(InputError, match=r"holds an atlas of branches .* and this is chain"):
            build_atlas(linked_network("chain"), photos, tmp_path / "atlas")

    def test_a_folder_of_something_else_is_refused(self, network: Network, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"holds class 0, class 1, class_2, and is no atlas"):
            build_atlas(network, photos, photos)

    def test_only_files_of_its_own_are_removed(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        others = [tmp_path / "atlas" / name for name in ("classes/notes.txt", "buckets/00000/notes.json")]
        for file in others:
            file.write_text("mine")
        shutil.rmtree(photos / "class_2")
        build_atlas(network, photos, tmp_path / "atlas")
        assert all(file.read_text() == "mine" for file in others)
        assert not (tmp_path / "atlas" / "classes" / "00002.safetensors").exists()

    def test_a_damaged_bucket_is_computed_again(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        before = contents(tmp_path / "atlas")
        file = next((tmp_path / "atlas" / "buckets").rglob("*.safetensors"))
        file.write_bytes(file.read_bytes()[:100])
        build_atlas(network, photos, tmp_path / "atlas")
        assert contents(tmp_path / "atlas") == before

    def test_a_damaged_class_is_said_to_be_damaged(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        (tmp_path / "atlas" / "classes" / "00001.safetensors").write_bytes(b"no arrays")
        with pytest.raises(InputError, match=r"00001\.safetensors is damaged, or no file of an atlas"):
            Atlas.open(tmp_path / "atlas").unit("last:0", "class 1")

    def test_the_file_of_another_class_or_atlas_is_refused(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        build_atlas(network, photos, tmp_path / "atlas")
        build_atlas(linked_network("chain"), photos, tmp_path / "other")
        files = tmp_path / "atlas" / "classes"
        for foreign in (files / "00000.safetensors", tmp_path / "other" / "classes" / "00001.safetensors"):
            shutil.copy(foreign, files / "00001.safetensors")
            with pytest.raises(InputError, match="is of another atlas, or another class"):
                Atlas.open(tmp_path / "atlas").links("last:0", "class 1")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{}", "no file of an atlas"),
            ("[1]", "no file of an atlas"),
            ("no JSON", r"\(This is not JSON: .*\); remove it and run `circuits atlas PHOTOS -o "),
        ],
    )
    def test_a_foreign_record_is_refused(self, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "atlas.json").write_text(text)
        with pytest.raises(InputError, match=message):
            Atlas.open(tmp_path)

    def test_a_folder_without_an_atlas_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"There is no atlas in .*; make one with `circuits atlas PHOTOS -o .*`\."):
            Atlas.open(tmp_path)

    def test_what_is_not_in_it_is_named(self, network: Network, photos: Path, tmp_path: Path) -> None:
        build_atlas(network, photos, tmp_path / "atlas", classes=["class 0"])
        atlas = Atlas.open(tmp_path / "atlas")
        with pytest.raises(UnknownError, match="has no photo of 'class 1'; it has class 0"):
            atlas.unit("last:0", "class 1")
        with pytest.raises(UnknownError, match="Layer 'conv9' is not in the atlas"):
            atlas.unit("conv9:0")
        with pytest.raises(UnknownError, match="No unit last:99"):
            atlas.links("last:99", 0)
        with pytest.raises(UnknownError, match="has no 'height' of units"):
            atlas.table("height", "last")

    def test_an_engine_of_several_needs_to_know_how_to_load(
        self, network: Network, photos: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="needs load"):
            build_atlas(network, photos, tmp_path / "atlas", engine=processes(2))

    def test_a_worker_with_other_weights_is_refused(self, network: Network, photos: Path, tmp_path: Path) -> None:
        engine: Engine = backwards  # type: ignore[assignment]
        other = linked_network("branches")
        with torch.no_grad():
            next(other.traced.parameters()).add_(1)
        from dataclasses import replace

        from circuits.network.network import fingerprint

        other = replace(other, sha256=fingerprint(other.traced))
        with pytest.raises(InputError, match="loaded another"):
            build_atlas(network, photos, tmp_path / "atlas", engine=engine, load=lambda: other)


def test_the_photos_of_a_bucket_stand_in_its_header(network: Network, photos: Path, tmp_path: Path) -> None:
    found = build_atlas(network, photos, tmp_path / "atlas")
    folder = AtlasFolder(tmp_path / "atlas")
    for job in jobs_of(found.classes):
        header = folder.read_header(folder.bucket_file(job))
        assert [row[0] for row in header["photos"]] == [photo.path.as_posix() for photo in job.photos]
    assert json.loads((tmp_path / "atlas" / "atlas.json").read_text())["format"] == "circuits-atlas/2"
