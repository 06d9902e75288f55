"""The limits of a recipe, in one table; errors name the limit that is exceeded."""

from pydantic import BaseModel, ConfigDict, Field

MAX_DIMENSION = 2**53 - 1
"""The largest dimension: not every JSON client represents larger integers exactly."""

MAX_ELEMENTS = 2**63 - 1
"""The most elements of a full tensor: element indices have to fit a signed 64-bit integer."""


class Limits(BaseModel):
    """The limits of one recipe.

    >>> Limits().max_tensors
    200000
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_body_bytes: int = Field(16 * 2**20, ge=1, description="bytes of a recipe's JSON text")
    max_tensors: int = Field(200_000, ge=1, description="tensors in one recipe")
    max_rank: int = Field(8, ge=0, le=64, description="axes of one tensor")
    max_name_bytes: int = Field(256, ge=1, description="UTF-8 bytes of a tensor's name")
    max_metadata_bytes: int = Field(64 * 2**10, ge=0, description="UTF-8 bytes of the metadata")
    max_header_bytes: int = Field(25_000_000, ge=8, description="bytes of the file's header")
    max_total_bytes: int = Field(2 * 2**40, ge=1, description="bytes of one file's tensors")
    max_parts: int = Field(256, ge=1, description="parts of one tensor")
    max_matches: int = Field(
        10_000_000, ge=0, description="* in the patterns of rules and include, times tensors"
    )
    max_truncations: int = Field(
        4_096, ge=0, description="different truncated_normal inits in one recipe"
    )
    max_orthogonal_side: int = Field(
        8_192, ge=1, description="rows or columns of an orthogonal matrix"
    )
    max_matrices: int = Field(4_096, ge=1, description="orthogonal matrices in one tensor")
    max_whole_elements: int = Field(
        2**26, ge=1, le=2**32, description="elements of a tensor that has to be computed as a whole"
    )
    max_chrono_elements: int = Field(2**20, ge=1, description="units of a chrono bias")
    max_sinusoidal_elements: int = Field(2**22, ge=1, description="elements of a position table")
    max_shards: int = Field(10_000, ge=1, description="files of one checkpoint")
    max_analysis_layers: int = Field(
        1_000, ge=1, description="layers of an analysed chain, times inits"
    )
    max_analysis_places: int = Field(
        2**20,
        ge=1,
        description="positions of an image, summed over the layers of an analysed chain",
    )
    max_analysis_work: int = Field(
        2**36, ge=1, description="multiplications of a measured pass, over all seeds and inits"
    )
    max_analysis_values: int = Field(
        2**25, ge=1, description="values in memory at once in a measured pass, 8 bytes each"
    )
    max_depth: int = Field(32, ge=1, description="nesting levels of a recipe's JSON")
    max_errors: int = Field(20, ge=1, le=20, description="errors reported at once")
