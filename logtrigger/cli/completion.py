"""`logtrigger completion`: what a shell has to be told, so that it completes commands, options, rules and addresses."""

from __future__ import annotations

import os

import click
from click.shell_completion import BashComplete, ShellComplete, add_completion_class, get_completion_class, split_arg_string

from logtrigger.cli import COMPLETE

# Where each shell looks for it, below /usr or /usr/local.
PLACES = {
    "bash": "share/bash-completion/completions/logtrigger",
    "zsh": "share/zsh/site-functions/_logtrigger",
    "fish": "share/fish/vendor_completions.d/logtrigger.fish",
}

# Unlike click's: the line is handed over as it is, since bash cuts words at the colons of an address, and what it puts into
# the line begins behind the last of them.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} cut= type value
    local word=${line##*[[:space:]]}
    if [[ $COMP_WORDBREAKS == *:* && $word == *:* ]]; then cut=${word%%"${word##*:}"}; fi
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) printf -v value %%q "${value#"$cut"}" && COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    source_template = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)  # without a look at which bash is installed here

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_WORDS", "")
        words = split_arg_string(line)[1:]
        return (words, "") if line[-1:].isspace() or not words else (words[:-1], words[-1])


add_completion_class(_Bash)  # in the place of click's


@click.command(short_help="complete commands in a shell")
@click.argument("shell", type=click.Choice(list(PLACES)))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, files, names of rules and banned addresses.

    \b
    bash:  logtrigger completion bash >/etc/bash_completion.d/logtrigger
    zsh:   logtrigger completion zsh >"${fpath[1]}/_logtrigger"
    fish:  logtrigger completion fish >~/.config/fish/completions/logtrigger.fish

    Or, for the shell that runs: eval "$(logtrigger completion bash)". Rules and addresses are asked of the running daemon, so
    that whoever may not ask it is offered none.
    """
    click.echo(script(shell))


def script(shell: str) -> str:
    """What the shell is to read."""
    from logtrigger.cli.commands import main

    of = get_completion_class(shell)
    assert of is not None
    return of(main, {}, "logtrigger", COMPLETE).source()
