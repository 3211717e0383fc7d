import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { typesVersions } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  typesVersions: { '*': Record<string, string[]> };
};

/** `command` is for the server's package alone. */
const entries = ['index', ...Object.keys(typesVersions['*'])].filter((name) => name !== 'command');

/** What tells kinds of layers apart says itself, as does what JavaScript calls by these names. */
const TELLS_ITSELF = /^(type|name|prototype|__.*)$/;

test('whatever a program can name has a text that editors show: each export, and each of its fields', () => {
  const files = entries.map((name) => `${root}ts/${name}.ts`);
  const options: ts.CompilerOptions = {
    ...{ target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.NodeNext, types: [] },
    ...{ moduleResolution: ts.ModuleResolutionKind.NodeNext, allowImportingTsExtensions: true, noEmit: true },
  };
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  const missing = new Set<string>();
  const look = (symbol: ts.Symbol, name: string) => {
    if (symbol.getDocumentationComment(checker).length === 0) missing.add(name);
  };
  const isHidden = ({ declarations = [], flags }: ts.Symbol) =>
    (flags & ts.SymbolFlags.TypeParameter) !== 0 ||
    declarations.some((one) => (ts.getCombinedModifierFlags(one) & ts.ModifierFlags.Private) !== 0);
  let exported = 0;
  for (const file of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!);
    for (const found of module ? checker.getExportsOfModule(module) : []) {
      const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
      exported++;
      look(symbol, symbol.name);
      for (const [key, member] of symbol.members ?? [])
        if (!TELLS_ITSELF.test(String(key)) && !isHidden(member)) look(member, `${symbol.name}.${String(key)}`);
    }
  }
  expect(exported).toBeGreaterThan(100);
  expect([...missing]).toEqual([]);
});
