// `aorta completion SHELL`: a script that completes commands, verbs and options, made from the present commands.

import type { Command } from 'commander';
import { print } from '../server/process/terminal.ts';
import { CommandError, reported } from './terminal/command-action.ts';
import { examples } from './terminal/help-text.ts';

const EXAMPLES = `
Examples:
  source <(aorta completion bash)
  aorta completion zsh > "\${fpath[1]}/_aorta"
  aorta completion fish > ~/.config/fish/completions/aorta.fish
`;

export function addCompletionCommand(root: Command): void {
  root
    .command('completion <shell>')
    .copyInheritedSettings(root)
    .description('a script for bash, zsh or fish that completes what one types')
    .addHelpText('after', examples(EXAMPLES))
    .action(
      reported(async (shell: string) => {
        const script = SCRIPTS[shell];
        if (script === undefined) throw new CommandError(`expected bash, zsh or fish, got "${shell}"`, 2);
        print(script(wordsOf(root)));
      }),
    );
}

/** Completions after a command's words: `''` is the root, `ul dump` a command of two words. */
type Words = ReadonlyMap<string, readonly string[]>;

function wordsOf(command: Command, at = '', words = new Map<string, string[]>()): Words {
  const options = command.options.flatMap(({ long }) => long ?? []);
  words.set(at, [...command.commands.map((inner) => inner.name()), ...options, '--help']);
  for (const inner of command.commands) wordsOf(inner, `${at} ${inner.name()}`.trim(), words);
  return words;
}

const SCRIPTS: Readonly<Record<string, (words: Words) => string>> = { bash, zsh, fish };

/** Completions after `at`, as a variable `list`; after unknown words, those after the first word. */
function choice(words: Words): string {
  const cases = [...words].map(([at, list]) => `    '${at}') list='${list.join(' ')}' ;;\n`).join('');
  return `  case "$at" in
${cases}    *) at="\${at%% *}"; case "$at" in
${cases}    esac ;;
  esac
`;
}

function bash(words: Words): string {
  return `_aorta() {
  local list= at="" i
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    case "\${COMP_WORDS[i]}" in -*) ;; *) at="\${at:+$at }\${COMP_WORDS[i]}" ;; esac
  done
${choice(words)}  COMPREPLY=($(compgen -W "$list" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _aorta aorta
`;
}

/** For use as a file of fpath, where the first completion runs it, or sourced. */
function zsh(words: Words): string {
  return `#compdef aorta
_aorta() {
  local list= at="" i
  for ((i = 2; i < CURRENT && i < 4; i++)); do
    case "$words[i]" in -*) ;; *) at="\${at:+$at }$words[i]" ;; esac
  done
${choice(words)}  compadd -- \${=list} || _files
}
if [ "$funcstack[1]" = _aorta ]; then _aorta "$@"; else compdef _aorta aorta; fi
`;
}

function fish(words: Words): string {
  const cases = [...words].map(([at, list]) => `    case '${at}'\n      printf '%s\\n' ${list.join(' ')}\n`).join('');
  const groups = [...words].filter(([, list]) => !list[0].startsWith('-')).map(([at]) => `'${at}'`);
  const known = [...words.keys()].map((at) => `'${at}'`);
  return `function __aorta_at
  set -l at
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; or set -a at $word
  end
  contains -- "$at[1..2]" ${known.join(' ')}; and echo "$at[1..2]"; or echo "$at[1]"
end
function __aorta_words
  switch (__aorta_at)
${cases}  end
end
function __aorta_chooses
  contains -- (__aorta_at) ${groups.join(' ')}
end
complete -c aorta -f -n __aorta_chooses -a '(__aorta_words)'
complete -c aorta -n 'not __aorta_chooses' -a '(__aorta_words)'
`;
}
