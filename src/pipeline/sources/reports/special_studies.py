"""Reports of MIMIC-CXR whose conclusion stands where no rule finds it.

Its authors read 54 such reports and published for each the section or the characters that hold the
conclusion (MIT-LCP/mimic-code, `mimic-iv-cxr/txt`), but left them out of their table of sections.
"""

CONCLUSION_IN_SECTION = {
    50058765: "indication",
    50743547: "examination",
    50808053: "technique",
    50913680: "recommendations",
    51491012: "history",
    51966317: "indication",
    53202765: "technique",
    53356173: "examination",
    54365831: "indication",
    54654948: "indication",
    55124749: "indication",
    55157853: "examination",
    56451190: "note",
    56482935: "recommendations",
    57936451: "indication",
    58157373: "recommendations",
    58375018: "recommendations",
    59067458: "recommendations",
    59087630: "recommendations",
    59215320: "examination",
    59279892: "technique",
    59363654: "examination",
    59768032: "recommendations",
}
"""Study to the section that holds its conclusion."""

CONCLUSION_AT = {
    50196495: (59, 399),
    50525523: (201, 349),
    51410602: (47, 320),
    52119491: (179, 454),
    52648681: (292, 631),
    52674888: (145, 296),
    53182247: (59, 412),
    53488209: (149, 475),
    53514462: (73, 377),
    54875119: (234, 988),
    54986978: (59, 306),
    55258338: (192, 568),
    56412866: (522, 822),
    56579911: (59, 218),
    56760320: (219, 457),
    57150433: (61, 394),
    57564132: (233, 554),
    59003148: (262, 505),
    59330497: (140, 655),
    59505494: (59, 450),
    59562049: (158, 348),
    59889364: (172, 453),
    59982525: (313, 717),
}
"""Study to the first character of its conclusion and the one after its last."""

WITHOUT_CONCLUSION = frozenset(
    {50798377, 52035334, 53071062, 53607029, 54168089, 54231141, 56724958, 58235663},
)
"""Studies whose reports say nothing of the image."""
