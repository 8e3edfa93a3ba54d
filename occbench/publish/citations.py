"""The works that a dataset's user should cite, by occlusion family and by source."""

from collections.abc import Sequence
from typing import Final

from occbench.data.recipe import Recipe

__all__ = ["FAMILIES", "OCCBENCH", "SOURCES", "citations_of"]

OCCBENCH: Final = "occbench: exactly rendered, verifiable occlusion datasets and benchmarks."
_CEN: Final = (
    "F. Cen, X. Zhao, W. Li, G. Wang. Deep feature augmentation for occluded image classification. Pattern "
    "Recognition, 2021. arXiv 2011.00768."
)
_D_FEAT: Final = (
    "R. Mallick, S. Dong, N. Ruiz, S. A. Bargal. D-Feat Occlusions: diffusion features for robustness to partial "
    "visual occlusions in object recognition. 2025. arXiv 2504.06432."
)

#: Occlusion family -> the papers that it follows.
FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "inpaint": (
        _D_FEAT,
        "R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer. High-resolution image synthesis with latent "
        "diffusion models. CVPR 2022. arXiv 2112.10752.",
    ),
    "irregular": (
        "H. Zunair, A. Ben Hamza. Masked supervised learning. WACV 2024. arXiv 2310.18517.",
        "G. Liu, F. A. Reda, K. J. Shih, T.-C. Wang, A. Tao, B. Catanzaro. Image inpainting for irregular holes using "
        "partial convolutions. ECCV 2018. arXiv 1804.07723.",
    ),
    "levels": (
        "A. Kortylewski, J. He, Q. Liu, A. Yuille. Compositional convolutional neural networks: a deep architecture "
        "with innate robustness to partial occlusion. CVPR 2020. arXiv 2003.04490.",
        "A. Wang, Y. Sun, A. Kortylewski, A. Yuille. Robust object detection under occlusion with context-aware "
        "CompositionalNets. CVPR 2020. arXiv 2005.11643.",
    ),
    "part_blackout": (_D_FEAT,),
    "part_replace": (_D_FEAT,),
    "patch_drop": (
        "M. Naseer, K. Ranasinghe, S. Khan, M. Hayat, F. S. Khan, M.-H. Yang. Intriguing properties of vision "
        "transformers. NeurIPS 2021. arXiv 2105.10497.",
        _D_FEAT,
    ),
    "patterns": (_CEN,),
    "photographed": (_CEN,),
}

#: Source -> the paper that introduces it.
SOURCES: Final[dict[str, str]] = {
    "ar_faces": "A. M. Martinez, R. Benavente. The AR face database. CVC technical report 24, 1998.",
    "caltech101": "L. Fei-Fei, R. Fergus, P. Perona. Learning generative visual models from few training examples. "
    "CVPR workshop on generative-model based vision, 2004.",
    "coco": "T.-Y. Lin, M. Maire, S. Belongie, J. Hays, P. Perona, D. Ramanan, P. Dollár, C. L. Zitnick. Microsoft "
    "COCO: common objects in context. ECCV 2014. arXiv 1405.0312.",
    "cub200": "C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie. The Caltech-UCSD Birds-200-2011 dataset. "
    "Technical report CNS-TR-2011-001, 2011.",
    "imagenet": "O. Russakovsky and others. ImageNet large scale visual recognition challenge. International Journal "
    "of Computer Vision, 2015. arXiv 1409.0575.",
    "oxford102": "M.-E. Nilsback, A. Zisserman. Automated flower classification over a large number of classes. ICVGIP "
    "2008.",
    "pascal3d": "Y. Xiang, R. Mottaghi, S. Savarese. Beyond PASCAL: a benchmark for 3D object detection in the wild. "
    "WACV 2014.",
    "part_imagenet": "J. He, S. Yang, S. Yang, A. Kortylewski, X. Yuan, J.-N. Chen, S. Liu, C. Yang, Q. Yu, A. Yuille. "
    "PartImageNet: a large, high-quality dataset of parts. ECCV 2022. arXiv 2112.00933.",
    "voc": "M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn, A. Zisserman. The PASCAL visual object classes "
    "(VOC) challenge. International Journal of Computer Vision, 2010.",
    "wider_attribute": "Y. Li, C. Huang, C. C. Loy, X. Tang. Human attribute recognition by deep hierarchical "
    "contexts. ECCV 2016.",
}


def citations_of(recipe: Recipe) -> Sequence[str]:
    """Return what to cite for a recipe: occbench, the papers of its families, the paper of its source."""
    families = [citation for spec in recipe.occlusions for citation in FAMILIES.get(spec.name, ())]
    source = [SOURCES[recipe.source.name]] if recipe.source.name in SOURCES else []
    return list(dict.fromkeys([OCCBENCH, *families, *source]))
