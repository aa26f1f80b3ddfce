/** Two answers of one expression: whether a window can hold a match, at once, and where, by an engine that is built when it is first asked. */
import { RE2JS } from 're2js'
import { createSieve, type Sieve } from './content-sieve.ts'
import { readPattern } from './content-syntax.ts'

export type Verifier = Readonly<{
  /** False only where the expression does not match in these units of a folded text. */
  possible: Sieve
  expression: () => RE2JS
}>

/** What the sieve understands is valid, and can wait; another expression is compiled at once, so that a fault in it shows when it is loaded. */
export function createVerifier(source: string): Verifier {
  const compile = () => RE2JS.compile(source, RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL)
  const tree = readPattern(source)
  let compiled = tree === undefined ? compile() : undefined
  let sieve: Sieve | undefined
  return {
    possible: (units, from, to, progress) => {
      if (!tree) return true
      sieve ??= createSieve(tree)
      return sieve(units, from, to, progress)
    },
    expression: () => {
      compiled ??= compile()
      return compiled
    },
  }
}
