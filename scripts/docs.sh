#!/usr/bin/env bash
# Make a site of the documentation in output/site, with MkDocs in an environment of its own (.venv-docs).
#
#   bash scripts/docs.sh          then open output/site/index.html
#
# A link that leads nowhere, and a page that scripts/mkdocs.yml does not list, fail the build.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PACKAGE='mkdocs==1.6.1'
DOCS="$ROOT/.venv-docs"
SOURCE="$ROOT/output/site_source"
PAGES=(README.md CONTRIBUTING.md SNIPER-mxnet/README.md data/README.md benchmarks/RESULTS.md docs)

no_options "$@"
if [ "$(cat "$DOCS/package" 2>/dev/null)" != "$PACKAGE" ]; then
    python="$(find_python)"
    say "making the environment .venv-docs with $python"
    "$python" -m venv --clear "$DOCS" || fail "could not make the environment $DOCS (see above)"
    "$DOCS/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$PACKAGE" ||
        fail "installing $PACKAGE failed (see above): it takes a network or a package index"
    printf '%s\n' "$PACKAGE" >"$DOCS/package"
fi
cd "$ROOT"
rm -rf "$SOURCE"
mkdir -p "$SOURCE"
# What pages link to beside pages: configurations and source files.
mapfile -t linked < <(cd docs && grep -ohE '\]\(\.\./[^)#]+' ./*.md | sed 's/^](\.\.\///' | grep -v '\.md$' | sort -u)
for name in "${PAGES[@]}" "${linked[@]}"; do
    mkdir -p "$SOURCE/$(dirname "$name")"
    cp -R "$name" "$SOURCE/$name"
done
"$DOCS/bin/mkdocs" build --strict --clean --config-file scripts/mkdocs.yml
say "output/site/index.html"
