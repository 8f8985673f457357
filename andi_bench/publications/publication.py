"""A publication as ``configs/publications/KEY.yaml`` holds it, and the field by which methods and data sets name theirs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_AS_WRITTEN = ConfigDict(extra="forbid", frozen=True)


class Publication(BaseModel):
    """Facts of a publication, as a bibliography wants them.

    Authors are ``Family, Given``; a group stands in braces, ``{The ANDi Bench contributors}``.
    """

    model_config = _AS_WRITTEN

    kind: Literal["article", "inproceedings", "misc", "software"] = Field(
        "misc",
        description="article in a journal, paper at a conference, preprint or anything else, software",
    )
    authors: tuple[str, ...] = Field(min_length=1, description="'Family, Given', in order")
    others: bool = Field(False, description="whether there are more authors than are named")
    title: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    venue: str = Field("", description="journal, proceedings or workshop")
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = Field("", pattern=r"^(10\.\d{4,9}/\S+)?$")
    arxiv: str = Field("", pattern=r"^(\d{4}\.\d{4,5})?$", description="number of the preprint")
    url: str = Field("", pattern=r"^(https?://\S+)?$")

    @model_validator(mode="after")
    def _appeared_somewhere(self) -> Publication:
        if self.kind in ("article", "inproceedings") and not self.venue:
            raise ValueError(f"an {self.kind} appeared somewhere: venue wanted")
        return self

    @property
    def address(self) -> str:
        """Where it can be read; "" where that is not known."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.url

    def is_meant_by(self, text: str) -> bool:
        """Whether a citation in words, as records keep it, is of this publication: by number, address or title.

        Parameters
        ----------
        text : str
            Such as ``Wyatt et al., AnoDDPM ..., CVPR Workshops 2022 (doi 10.1109/CVPRW56347.2022.00080)``.
        """
        known = [one for one in (self.arxiv, self.doi, self.url, self.title) if one]
        return any(one.lower() in text.lower() for one in known)


class Cited(BaseModel):
    """Base of what methods and data sets say of themselves."""

    model_config = _AS_WRITTEN

    publications: tuple[str | Publication, ...] = Field(
        (),
        description="what to cite: names of files in configs/publications, or the facts themselves",
    )
