"""From a method's name to its detector."""

import pytest
import torch

from andi_bench.config import method_entry, names_in
from andi_bench.errors import UserError
from methods.base import ImageSpec
from methods.catalogue import build_detector, detector_class, detector_config, method_locations

SPEC = ImageSpec(("flair", "t1", "t1ce", "t2"), (32, 32))


def test_every_configured_method_has_a_class_of_its_name():
    assert sorted(method_locations()) == names_in("methods")
    assert all(detector_class(name).name == name for name in method_locations())


def test_voxel_statistics_draw_nothing_and_the_random_map_does():
    assert method_entry("voxel-statistics").chance is False
    assert method_entry("random").chance is True


def test_a_detector_learns_from_weights_that_its_seed_alone_decides():
    cls = detector_class("ae")
    one, same, other = (
        build_detector(cls, {}, SPEC, seed, torch.device("cpu")) for seed in (1, 1, 2)
    )
    weights = [torch.cat([p.flatten() for p in d.net.parameters()]) for d in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_building_leaves_the_global_random_state_alone():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    build_detector(detector_class("ae"), {}, SPEC, 0, torch.device("cpu"))
    assert torch.equal(torch.rand(3), wanted)


def test_a_hyper_parameter_that_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"detector\.strid"):
        detector_config(detector_class("andi"), {"strid": 3})
