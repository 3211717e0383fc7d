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
const namesOf = (gru: Command) => [
  ...gru.commands.map((command) => command.name()),
  'help',
  ...Object.keys(SERVER_COMMANDS),
];
/** What may stand for the arguments of a command, where these are words. */
const wordsOf = (command: Command) => command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
const takesFiles = (command: Command) => command.registeredArguments.length > wordsOf(command).length;

/** zsh reads bash's functions by bashcompinit. */
function bash(gru: Command, zsh: boolean): string {
  const names = namesOf(gru).join(' ');
  const cases = gru.commands.map((command) => {
    const flags = optionsOf(command).flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
    return `    ${command.name()}) words="${[...flags, ...wordsOf(command)].join(' ')}" files=${takesFiles(command) ? 1 : ''} ;;`;
  });
  const values = gru.commands.flatMap((command) =>
    optionsOf(command).flatMap(({ short, long, argChoices }) => {
      const flags = [short, long].filter((flag) => flag !== undefined).map((flag) => `"${command.name()} ${flag}"`);
      return argChoices
        ? [
            `    ${flags.join('|')}) COMPREPLY=($(compgen -P "$prefix" -W "${argChoices.join(' ')}" -- "$word")); return ;;`,
          ]
        : [];
    }),
  );
  return `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_gru() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words="" files=1 command="" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      -*) ;;
      *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  if [ -z "$command" ]; then
    COMPREPLY=($(compgen -W "${names} --help --version --debug" -- "$word"))
    return
  fi
  # --option=value: bash makes three words of it, other shells one.
  local prefix=""
  case "$word" in
    =) word="" ;;
    --*=*) before="\${word%%=*}" prefix="\${word%%=*}=" word="\${word#*=}" ;;
    *) [ "$before" = "=" ] && before="\${COMP_WORDS[COMP_CWORD-2]}" ;;
  esac
  case "$command $before" in
${values.join('\n')}
  esac
  case "$command" in
    help) words="${names}" files= ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # Names of files may have spaces.
  local IFS=$'\n'
  [ -n "$files" ] && COMPREPLY+=($(compgen -P "$prefix" -f -- "$word"))
  return 0
}
complete -o filenames -F _gru gru gru-wasm`;
}

function fish(gru: Command): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = [
    ...gru.commands.map((command) => [command.name(), command.description()] as const),
    ['help', 'what --help prints, of a command too'] as const,
    ...Object.entries(SERVER_COMMANDS),
  ].map(([name, text]) => `complete -c gru -n __fish_use_subcommand -f -a ${name} -d ${quoted(text)}`);
  for (const command of gru.commands) {
    const when = `-n '__fish_seen_subcommand_from ${command.name()}'`;
    for (const { short, long, description, argChoices, required } of optionsOf(command)) {
      const flags = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter(Boolean).join(' ');
      const values = argChoices ? ` -x -a ${quoted(argChoices.join(' '))}` : required ? ' -r' : '';
      lines.push(`complete -c gru ${when} ${flags}${values} -d ${quoted(description)}`);
    }
    const words = wordsOf(command);
    if (!takesFiles(command)) lines.push(`complete -c gru ${when} -f -a ${quoted(words.join(' '))}`);
  }
  const names = quoted(namesOf(gru).join(' '));
  lines.push(`complete -c gru -n '__fish_seen_subcommand_from help' -f -a ${names}`, 'complete -c gru-wasm -w gru');
  return lines.join('\n');
}
