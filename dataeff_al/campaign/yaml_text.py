"""Plain data to YAML that :mod:`~dataeff_al.campaign.yaml_source` and YAML 1.1 readers understand alike."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_TEXT_TAG = "tag:yaml.org,2002:str"
_LIKE_A_NUMBER = re.compile(r"[-+.]*[0-9]")


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes text that either version of YAML would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    another = dumper.resolve(yaml.ScalarNode, value, (True, False)) != _TEXT_TAG or _LIKE_A_NUMBER.match(value)
    # Outside double quotes a reader may fold line ends, of which Unicode has several.
    return dumper.represent_scalar(_TEXT_TAG, value, style='"' if another or not value.isprintable() else None)


_Dumper.add_representer(str, _text)


def write(data: Mapping[str, Any]) -> str:
    """``data`` as YAML in its own order, short mappings and lists on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
