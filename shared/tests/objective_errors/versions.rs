//! Mistakes between the versions of one objective.

use expect_test::expect;

use crate::{case, case_elsewhere};

#[test]
fn a_version_twice() {
    case(
        "version: 2",
        "version: «here»1",
        expect![[
            "version 1 of objective `accuracy` is there already, on line 52; give this one the next number, or another id"
        ]],
    );
}

#[test]
fn version_nought() {
    case(
        "  - id: ranking\n    version: 1\n",
        "  - id: ranking\n    version: «here»0\n",
        expect!["versions begin with 1; write 1"],
    );
}

#[test]
fn a_version_that_ends_before_it_starts() {
    case(
        "effective_to: 2026-07-01T00:00:00Z",
        "effective_to: «here»2025-07-01T00:00:00Z",
        expect![[
            "the version ends 2025-07-01T00:00:00Z, not after its start 2026-01-01T00:00:00Z; write a later end, or remove the version"
        ]],
    );
}

#[test]
fn versions_that_overlap() {
    case(
        "effective_from: 2026-07-01T00:00:00Z",
        "effective_from: «here»2026-06-30T00:00:00Z",
        expect![[
            "version 1 of `accuracy` is still in force when version 2 starts; give version 1 `effective_to: 2026-06-30T00:00:00Z`"
        ]],
    );
}

#[test]
fn a_version_without_end_before_another() {
    case_elsewhere(
        "    effective_to: 2026-07-01T00:00:00Z\n",
        "",
        "effective_from: «here»2026-07-01T00:00:00Z",
        expect![[
            "version 1 of `accuracy` is still in force when version 2 starts; give version 1 `effective_to: 2026-07-01T00:00:00Z`"
        ]],
    );
}

#[test]
fn versions_against_time() {
    case(
        "effective_from: 2026-07-01T00:00:00Z",
        "effective_from: «here»2025-01-01T00:00:00Z",
        expect![[
            "version 2 of `accuracy` starts 2025-01-01T00:00:00Z, not after version 1; versions must follow each other in time"
        ]],
    );
}
