"""The targets of the Rust backend and their fields."""

from __future__ import annotations

from pants.core.goals.package import OutputPathField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    MultipleSourcesField,
    SpecialCasedDependencies,
    StringField,
    Target,
)
from pants.util.strutil import help_text


class CargoWorkspaceSourcesField(MultipleSourcesField):
    default = ("Cargo.toml", "Cargo.lock")
    expected_num_files = 2
    uses_source_roots = False
    help = "The manifest and the lock of the workspace."


class CargoWorkspaceTarget(Target):
    alias = "cargo_workspace"
    core_fields = (*COMMON_TARGET_FIELDS, CargoWorkspaceSourcesField)
    help = "The root of the Cargo workspace: what its crates share."


class CrateSourcesField(MultipleSourcesField):
    default = ("Cargo.toml", "build.rs", "*.json", "src/**/*", "tests/**/*")
    uses_source_roots = False
    help = "Everything that compiling and testing the crate reads from its folder."


class CrateDependenciesField(Dependencies):
    help = help_text(
        """
        The addresses this crate depends on. Other crates of the workspace are inferred from the crate's manifest; add
        what else its tests read, such as fixtures.
        """
    )


class SkipCrateTestsField(BoolField):
    alias = "skip_tests"
    default = False
    help = "Do not run `cargo test` for this crate, as for a guest that only the tests of others load."


class SkipClippyField(BoolField):
    alias = "skip_clippy"
    default = False
    help = "Do not run clippy on this crate, as for one whose code a program wrote."


class OwnBuildFolderField(BoolField):
    alias = "own_build_folder"
    default = False
    help = help_text(
        """
        Keep what Cargo compiles for this crate apart from what it compiles for the others.

        Crates share a folder, so that what several of them depend on is compiled once, and one waits while another is
        built. Set this for a crate with large dependencies of its own, and no other waits for it.
        """
    )


class SkipRustfmtField(BoolField):
    alias = "skip_rustfmt"
    default = False
    help = "Do not format this crate, as for one whose code a program wrote."


_CRATE_FIELDS = (
    *COMMON_TARGET_FIELDS,
    CrateDependenciesField,
    OwnBuildFolderField,
    SkipCrateTestsField,
    SkipClippyField,
    SkipRustfmtField,
)


class RustCrateTarget(Target):
    alias = "rust_crate"
    core_fields = (*_CRATE_FIELDS, CrateSourcesField)
    help = help_text(
        """
        A crate of the workspace that other crates depend on.

        `test` runs its tests, `lint` runs clippy on it, `fmt` formats it.
        """
    )


class ConnectorSourcesField(CrateSourcesField):
    """The sources of a connector: of a class of its own, since only these become WebAssembly."""

    # What is generated from them is a resource, whose name begins below a source root.
    uses_source_roots = True


class ResourceDirectoryField(StringField):
    alias = "resource_dir"
    required = True
    help = help_text(
        """
        The folder, relative to the build root, in which what depends on the connector finds it as the resource
        `<package>.wasm`. It has to be below a source root. Where all connectors share it, name it once:
        `__defaults__({wasm_connector: {"resource_dir": "src/app/guests"}})` in the BUILD file above them.
        """
    )


class WasmConnectorTarget(Target):
    alias = "wasm_connector"
    core_fields = (
        *_CRATE_FIELDS,
        ConnectorSourcesField,
        ResourceDirectoryField,
        OutputPathField,
    )
    help = help_text(
        """
        A crate of the workspace that is compiled to a WebAssembly module.

        What depends on this target sees the module as a resource; `package` writes it to `dist/`. `test` runs the
        crate's own tests, on this machine; `lint` runs clippy on it, `fmt` formats it.
        """
    )


class PublishedModulesField(MultipleSourcesField):
    """Nothing of its own: what is generated for it lies in the target's folder, below its source root."""

    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = True


class PublishedConnectorsField(SpecialCasedDependencies):
    alias = "connectors"
    required = True
    help = "The addresses of the `wasm_connector` targets."


class WasmProfileField(StringField):
    alias = "profile"
    default = "release"
    help = "The Cargo profile that the modules are compiled with, whatever `[rust].wasm_profile` is."


class WasmModulesTarget(Target):
    alias = "wasm_modules"
    core_fields = (*COMMON_TARGET_FIELDS, PublishedModulesField, PublishedConnectorsField, WasmProfileField)
    help = help_text(
        """
        Connectors as they are published: compiled with one profile, as resources `<package>.wasm` in this folder.

        A wheel depends on this target, where tests depend on the connectors themselves.
        """
    )
