import { Argument, Command } from 'commander';
import { print } from '../print.ts';
import { SERVER_COMMANDS } from './server.ts';

/** `gru completion SHELL` */
export function completionCommand(gru: () => Command): Command {
  return new Command('completion')
    .description('print a script by which a shell completes commands, options and their values')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  source <(gru completion bash)    # in ~/.bashrc
  source <(gru completion zsh)     # in ~/.zshrc, after compinit
  gru completion fish > ~/.config/fish/completions/gru.fish`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      await print(shell === 'fish' ? fish(gru()) : bash(gru(), shell === 'zsh'));
    });
}

const optionsOf = (command: Command) => command.createHelp().visibleOptions(command);
const namesOf = (gru: Command) => [...gru.commands.map((command) => command.name()), ...Object.keys(SERVER_COMMANDS)];

/** zsh reads bash's functions by bashcompinit. */
function bash(gru: Command, zsh: boolean): string {
  const cases = gru.commands.map((command) => {
    const flags = optionsOf(command).flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
    const words = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
    return `    ${command.name()}) words="${[...flags, ...words].join(' ')}" ;;`;
  });
  const choices = new Map<string, string[]>();
  for (const command of gru.commands) {
    for (const { long, argChoices } of optionsOf(command)) {
      if (long && argChoices) choices.set(long, [...new Set([...(choices.get(long) ?? []), ...argChoices])]);
    }
  }
  const values = [...choices].map(
    ([flag, words]) => `    ${flag}) COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$word")); return ;;`,
  );
  return `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_gru() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${namesOf(gru).join(' ')} --help --version" -- "$word"))
    return
  fi
  case "$before" in
${values.join('\n')}
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word"))
}
complete -o filenames -F _gru gru`;
}

function fish(gru: Command): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = [
    ...gru.commands.map((command) => [command.name(), command.description()] as const),
    ...Object.entries(SERVER_COMMANDS),
  ].map(([name, text]) => `complete -c gru -n __fish_use_subcommand -f -a ${name} -d ${quoted(text)}`);
  for (const command of gru.commands) {
    const when = `-n '__fish_seen_subcommand_from ${command.name()}'`;
    for (const { short, long, description, argChoices, required } of optionsOf(command)) {
      const flags = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter(Boolean).join(' ');
      const values = argChoices ? ` -x -a ${quoted(argChoices.join(' '))}` : required ? ' -r' : '';
      lines.push(`complete -c gru ${when} ${flags}${values} -d ${quoted(description)}`);
    }
    const words = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
    if (words.length > 0) lines.push(`complete -c gru ${when} -f -a ${quoted(words.join(' '))}`);
  }
  return lines.join('\n');
}
