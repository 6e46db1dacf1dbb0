"""Any layout of any publisher."""

from typing import Annotated

from pydantic import Field

from pipeline.settings.layouts.chest_xray import (
    ChexchonetLayout,
    ChexpertLayout,
    NihCxr14Layout,
    RsnaPneumoniaLayout,
    VindrCxrLayout,
)
from pipeline.settings.layouts.collections import (
    Chestx6Layout,
    CovidQuExLayout,
    CovidxLayout,
    KermanyLayout,
    OpenmaskLayout,
    QataCov19Layout,
    ShenzhenTbLayout,
    TbRahmanLayout,
)
from pipeline.settings.layouts.mimic import (
    MimicCxrLayout,
)
from pipeline.settings.layouts.mimic_derived import (
    CxlsegLayout,
    MedmodLayout,
    MsCxrLayout,
    ReflacxLayout,
)
from pipeline.settings.layouts.physiology import (
    HannoverLayout,
    MimicIvEcgLayout,
    SymileMimicLayout,
)

Layout = Annotated[
    ChexpertLayout
    | NihCxr14Layout
    | VindrCxrLayout
    | RsnaPneumoniaLayout
    | ChexchonetLayout
    | KermanyLayout
    | CovidQuExLayout
    | QataCov19Layout
    | ShenzhenTbLayout
    | TbRahmanLayout
    | Chestx6Layout
    | CovidxLayout
    | OpenmaskLayout
    | MimicCxrLayout
    | ReflacxLayout
    | MsCxrLayout
    | CxlsegLayout
    | MedmodLayout
    | SymileMimicLayout
    | MimicIvEcgLayout
    | HannoverLayout,
    Field(discriminator="format"),
]
"""Any layout; `format` names its adapter."""
