import pytest
import torch
from pydantic import ValidationError

from methods.networks.residual_settings import ResidualSettings


def test_the_network_is_the_one_asked_for():
    asked = ResidualSettings(base_width=8, multipliers=(1, 3), blocks=(1, 2), attention=(2,))
    net = asked.residual_unet(3, 2, (8, 12), time=False)
    assert net(torch.rand(1, 3, 8, 12)).shape == (1, 2, 8, 12)
    assert net.first.weight.shape[0] == 8
    assert [len(level) for level in net.down] == [1, 2]
    assert net.first.weight.is_contiguous(memory_format=torch.channels_last)
    assert net.embed is None


@pytest.mark.parametrize("values", [{"base_width": 3}, {"multipliers": ()}, {"width": 3}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        ResidualSettings(**values)
