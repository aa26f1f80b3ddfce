/** Counts what one body may hold, so that a small body cannot unfold into a large heap. Shared by both decoders. */
import { Fault } from '../../schemas/errors.ts'
import type { Json } from '../../schemas/event.ts'
import { type DecodeLimits, limits } from './record.ts'

/** `refusal` is why the record being read can never be taken; reading goes on, so that its neighbours can. */
export type Budget = {
  readonly elementsMax: number
  readonly attributesMax: number
  elements: number
  attributes: number
  refusal: string | undefined
  facts: string[]
  rejected: number
  reason: string
}

export const createBudget = ({ elementsMax }: DecodeLimits): Budget => ({
  elementsMax,
  attributesMax: elementsMax * limits.attributesPerElement,
  elements: 0,
  attributes: 0,
  refusal: undefined,
  facts: [],
  rejected: 0,
  reason: '',
})

export function spendElement(budget: Budget): void {
  budget.elements += 1
  if (budget.elements > budget.elementsMax) throw new Fault('INPUT_TOO_LARGE', `more than ${budget.elementsMax} elements`)
}

export function noteFact(budget: Budget, fact: string): void {
  if (budget.facts.length < limits.factsMax) budget.facts.push(fact.slice(0, 128))
}

/** The last of several equal keys wins, and is counted. */
export function addAttribute(budget: Budget, into: Map<string, Json>, key: string, value: Json): void {
  if (into.has(key)) noteFact(budget, `duplicate_key:${key}`)
  else if (into.size >= limits.attributesMax) {
    budget.refusal = `more than ${limits.attributesMax} attributes`
    return
  }
  into.set(key, value)
}

export function spendAttribute(budget: Budget): void {
  budget.attributes += 1
  if (budget.attributes > budget.attributesMax) throw new Fault('INPUT_TOO_LARGE', `more than ${budget.attributesMax} attributes`)
}

/** Ends a record: true when it may be kept. Facts of the record are taken out. */
export function settle(budget: Budget, refusal: string | undefined): { kept: boolean; facts: readonly string[] } {
  const reason = budget.refusal ?? refusal
  const facts = budget.facts.sort() // fields come in any order: the same message has the same facts
  budget.refusal = undefined
  budget.facts = []
  if (reason === undefined) return { kept: true, facts }
  budget.rejected += 1
  budget.reason ||= reason
  return { kept: false, facts }
}

/** What was wrong with a resource concerns all of its records. Its facts are dropped: they belong to no single record. */
export function takeRefusal(budget: Budget): string | undefined {
  const { refusal } = budget
  budget.refusal = undefined
  if (budget.facts.length > 0) budget.facts = []
  return refusal
}
export function rejectAll(budget: Budget, count: number, reason: string): void {
  budget.rejected += count
  if (count > 0) budget.reason ||= reason
}
