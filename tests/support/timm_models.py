"""Networks of timm, one at least of each of its families, and what they must pass."""

from functools import cache

import timm
import torch

from tests.support.nets import CLASSES, randomize
from tests.support.zoo_checks import Found, check_module, loaded_layers

_NAMES = """
    caformer_s18 cait_xxs24_224 coat_lite_tiny coat_tiny coatnet_pico_rw_224 convformer_s18 convit_tiny
    convmixer_768_32 convnext_atto convnext_atto_ols convnext_zepto_rms convnextv2_atto cpubone_nano crossvit_9_240
    crossvit_tiny_240 cs3darknet_focus_s cspdarknet53 cspnext_tiny cspresnet50 cspresnext50 darknet53 davit_tiny
    deit_tiny_patch16_224 densenet121 densenetblur121d dla46x_c dpn48b dpn68 eca_nfnet_l0 ecaresnet26t
    edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientnet_es efficientnet_lite0 efficientvim_m1
    efficientvit_b0 efficientvit_m0 ese_vovnet19b_slim_dw fasternet_t0 fastvit_t8 fbnetc_100 fbnetv3_b
    focalnet_tiny_srf gcresnext26ts gcvit_xxtiny gernet_s ghostnet_050 ghostnetv2_100 gmlp_ti16_224 halonet_h1
    hardcorenas_b hgnet_tiny hgnetv2_b0 hiera_tiny_224 hrnet_w18_small iformer_t inception_next_atto
    inception_resnet_v2 inception_v3 inception_v4 lambda_resnet26t lcnet_035 lcnetv2_small legacy_seresnet18
    legacy_xception levit_128s levit_conv_128s lowformer_b0 mambaout_femto maxvit_pico_rw_256 mixnet_s mnasnet_100
    mobilenetv2_035 mobilenetv2_100 mobilenetv3_large_100 mobilenetv3_small_050 mobilenetv4_conv_small_035
    mobileone_s0 mobileone_s1 mobilevit_xxs mobilevitv2_050 mvitv2_tiny nasnetalarge nest_tiny nextvit_small
    nf_regnet_b0 nf_resnet26 nfnet_f0 pit_ti_224 pnasnet5large poolformer_s12 poolformerv2_s12 pvt_v2_b0 rdnet_tiny
    regnetx_002 regnety_002 regnetz_005 regnetz_b16 repghostnet_050 repvgg_a0 repvit_m1 res2net50_14w_8s res2next50
    resnest14d resnet10t resnet18 resnet26d resnet26t resnet50_gn resnetaa34d resnetblur18 resnetrs50 resnetv2_18
    resnetv2_50 resnetv2_50x1_bit resnext26ts resnext50_32x4d rexnet_100 sam2_hiera_tiny sehalonet33ts selecsls42
    semnasnet_050 sequencer2d_s seresnet18 seresnext26d_32x4d shvit_s1 skresnet18 spnasnet_100 starnet_s050
    swiftformer_xs swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 swinv2_tiny_window16_256 test_byobnet
    test_convnext test_efficientnet test_efficientnet_gn test_efficientnet_ln test_nfnet test_resnet
    tf_efficientnet_b0 tf_efficientnet_lite0 tf_efficientnetv2_b0 tf_mixnet_s tf_mobilenetv3_small_minimal_100
    tiny_vit_5m_224 tinynet_e tnt_s_legacy_patch16_224 tresnet_m twins_svt_small vgg11 visformer_small
    vit_srelpos_small_patch16_224 vit_tiny_patch16_224 vit_tiny_patch16_dinov3_qkvb volo_d1_224 vovnet39a
    xception41p xcit_nano_12_p8_224
"""
NAMES = tuple(f"timm:{name}" for name in _NAMES.split())
"""The smallest of each family, if it has fewer than 90 million weights, and of the larger families several kinds."""
SMALLEST = tuple(
    f"timm:{name}"
    for name in (
        "densenetblur121d", "efficientvit_m0", "ese_vovnet19b_slim_dw", "fasternet_t0", "mobilenetv4_conv_small_035",
        "nf_resnet26", "repghostnet_050", "resnet10t", "resnetv2_18", "starnet_s050", "tf_efficientnet_lite0",
    )
)  # fmt: skip
"""Those that the tests always run: small ones, of which each is built in another way."""
_SEEDS = {"timm:mobileone_s1": 1, "timm:legacy_seresnet18": 1}
"""Of random weights, where those of seed 0 silence a unit that is looked at."""
_SIDES = (64, 96, 224, 256)


def check_timm(name: str) -> Found:
    """Put one of timm's classifiers through everything, at the smallest side that it takes.

    Args:
        name: as `load_network` takes it, `timm:NAME`.

    Raises:
        AssertionError: if something does not hold.
        InputError: if it is refused.
    """
    module = timm.create_model(name.removeprefix("timm:"), num_classes=CLASSES).eval()
    side = timm_side(name)
    found = check_module(name, randomize(module, _SEEDS.get(name, 0)), side)
    assert loaded_layers(name, side) == found.layers
    return found


@cache
def timm_side(name: str) -> int:
    """A small input side that one of timm's architectures takes."""
    name = name.removeprefix("timm:")
    own = timm.get_pretrained_cfg(name)
    if own.fixed_input_size:
        return int(own.input_size[1])
    module = timm.create_model(name, num_classes=CLASSES).eval()
    for side in _SIDES:
        try:
            with torch.no_grad():
                module(torch.zeros(1, 3, side, side))
        except (RuntimeError, AssertionError, ValueError):
            continue
        return side
    return int(own.input_size[1])
