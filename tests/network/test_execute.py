"""Running a graph: what is kept, what `on_node` sees, and that the table of operations is complete in itself."""

import pytest
import torch
from torch import Tensor, nn

from circuits.network import operations, receptive_field_ops
from circuits.network.execute import execute, image_node, split_channels
from tests.support.nets import image_for, randomize, ready, zoo_network


def test_each_needed_node_is_given_to_on_node_once_and_its_result_is_what_readers_get() -> None:
    network = ready(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)), 4, layers=["1"])
    nodes = list(network.traced.graph.nodes)
    image, relu, flat = nodes[0], nodes[2], nodes[3]
    seen = []

    def doubled(node, values):
        seen.append(node)
        return 2 * operations.run_node(network.traced, node, values)

    x = torch.randn((1, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    values = execute(network.traced, {image: x}, [flat], on_node=doubled)
    plain = execute(network.traced, {image: x}, [relu, flat])
    assert seen == nodes[1:4]
    assert list(values) == [image, flat]
    torch.testing.assert_close(values[flat], 8 * plain[flat])
    assert torch.equal(plain[flat], plain[relu].flatten(1))


def test_what_is_known_is_not_run() -> None:
    network = ready(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)), 4, layers=["1"])
    relu, flat = list(network.traced.graph.nodes)[2:4]
    given: Tensor = torch.full((1, 2, 4, 4), -1.0)
    assert torch.equal(execute(network.traced, {relu: given}, [flat])[flat], given.flatten(1))


def test_channels_of_a_concatenation_are_split_over_its_parts() -> None:
    network = zoo_network("squeezenet1_1")
    parts = next(found for n in network.traced.graph.nodes if (found := operations.concatenated(network.traced, n)))
    first, second = parts
    width = operations.shape(first)[1]
    assert split_channels(parts, (width + 1, 3, width)) == [(first, (3,), (1,)), (second, (1, 0), (0, 2))]
    assert split_channels(parts, (3,)) == [(first, (3,), (0,))]
    assert split_channels(parts, None) == [(first, None, ()), (second, None, ())]
    assert image_node(network.traced) not in parts


@pytest.mark.parametrize("dim", [1, 2])
def test_a_concatenation_of_vectors_or_of_rows_is_read_as_it_is(dim: int) -> None:
    class Pools(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(8 if dim == 1 else 4, 2)

        def forward(self, image: Tensor) -> Tensor:
            maps = self.conv(image)
            if dim == 1:
                return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))
            return self.head(torch.cat([maps, -maps], 2).relu().mean((2, 3)))

    network = ready(randomize(Pools()).eval(), 8, layers=["cat", "head"])
    image = image_for(network)
    whole = network.activations(image, ["cat"])["cat"]
    (picked,) = network.read(image, [("cat", (3, 1), False)])
    torch.testing.assert_close(picked.detach(), whole[:, [3, 1]])


def test_every_reach_in_the_table_of_operations_has_a_rule() -> None:
    rules = {*receptive_field_ops._OF_ANY, *receptive_field_ops._OF_TENSOR, *receptive_field_ops._OF_MAP}
    assert rules == {operation.reach for operation in operations.OPERATIONS.values()} - {None}
