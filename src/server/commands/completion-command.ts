// `aorta completion SHELL`: a script that completes commands, verbs and options, made from the commands there are.

import type { Command } from 'commander';
import { CommandError, reported } from './admin-client.ts';

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
    .addHelpText('after', EXAMPLES)
    .action(
      reported(async (shell: string) => {
        const script = SCRIPTS[shell];
        if (script === undefined) throw new CommandError(`expected bash, zsh or fish, got "${shell}"`, 2);
        process.stdout.write(script(wordsOf(root)));
      }),
    );
}

/** What may stand behind a command's words: `''` is the root, `ul dump` one of two words. */
type Words = ReadonlyMap<string, readonly string[]>;

function wordsOf(command: Command, at = '', words = new Map<string, string[]>()): Words {
  const options = command.options.flatMap(({ long }) => long ?? []);
  words.set(at, [...command.commands.map((inner) => inner.name()), ...options, '--help']);
  for (const inner of command.commands) wordsOf(inner, `${at} ${inner.name()}`.trim(), words);
  return words;
}

const SCRIPTS: Readonly<Record<string, (words: Words) => string>> = { bash, zsh, fish };

function cases(words: Words): string {
  return [...words].map(([at, list]) => `    '${at}') words='${list.join(' ')}' ;;\n`).join('');
}

function bash(words: Words): string {
  return `_aorta() {
  local words= at="" i
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    case "\${COMP_WORDS[i]}" in -*) ;; *) at="\${at:+$at }\${COMP_WORDS[i]}" ;; esac
  done
  case "$at" in
${cases(words)}    *) at="\${at%% *}"; case "$at" in
${cases(words)}    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _aorta aorta
`;
}

function zsh(words: Words): string {
  return `#compdef aorta
autoload -U +X bashcompinit && bashcompinit
${bash(words)}`;
}

function fish(words: Words): string {
  const lines = [...words].flatMap(([at, list]) => {
    const seen = at === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${at.split(' ').at(-1)}`;
    return list.map((word) =>
      word.startsWith('--')
        ? `complete -c aorta -n '${seen}' -l ${word.slice(2)}`
        : `complete -c aorta -n '${seen}' -a ${word}`,
    );
  });
  return `${lines.join('\n')}\n`;
}
