/**
 * Who reads which partition: partition i of every topic goes to the same member, because one engine reads partition i of several.
 * Members keep what they had, as far as everyone gets an equal share. A pure function, so that any member may be the leader.
 */
export type Claim = Readonly<{ memberId: string; topics: readonly string[]; owned: readonly number[]; generation: number }>
/** Per member and topic, its partitions. */
export type Assignment = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

/** For partitions 0 to `count`: who gets each of them. */
function share(claims: readonly Claim[], count: number): readonly string[] {
  const owners: (string | undefined)[] = Array.from({ length: count }, () => undefined)
  const load = new Map(claims.map(({ memberId }) => [memberId, 0]))
  const loadOf = (memberId: string): number => load.get(memberId) ?? 0
  const least = Math.floor(count / claims.length)
  let extra = count % claims.length
  // Who owned a partition last is believed first: an older claim is from before it was given away.
  const newestFirst = [...claims].sort((a, b) => b.generation - a.generation || (a.memberId < b.memberId ? -1 : 1))
  for (const { memberId, owned } of newestFirst) {
    for (const partition of owned) {
      if (partition < 0 || partition >= count || owners[partition] !== undefined) continue
      if (loadOf(memberId) >= least + (extra > 0 ? 1 : 0)) break
      owners[partition] = memberId
      load.set(memberId, loadOf(memberId) + 1)
      if (loadOf(memberId) > least) extra -= 1
    }
  }
  const members = claims.map(({ memberId }) => memberId).sort()
  return owners.map((owner) => {
    if (owner !== undefined) return owner
    const poorest = members.reduce((a, b) => (loadOf(b) < loadOf(a) ? b : a))
    load.set(poorest, loadOf(poorest) + 1)
    return poorest
  })
}

export function assignPartitions(claims: readonly Claim[], partitionsOf: (topic: string) => number): Assignment {
  const assignment = new Map(claims.map(({ memberId }) => [memberId, new Map<string, number[]>()]))
  const topics = [...new Set(claims.flatMap((claim) => claim.topics))].sort()
  for (const topic of topics) {
    // The same readers and the same count make the same shares: that is what keeps partition i together.
    const readers = claims.filter((claim) => claim.topics.includes(topic))
    for (const [partition, owner] of share(readers, partitionsOf(topic)).entries()) {
      const mine = assignment.get(owner)
      mine?.set(topic, [...(mine.get(topic) ?? []), partition])
    }
  }
  return assignment
}

export const encodeClaim = (owned: readonly number[], generation: number): Buffer => Buffer.from(JSON.stringify({ owned, generation }))
/** What another member says of itself: believed only in its form. */
export function decodeClaim(bytes: Buffer): Pick<Claim, 'owned' | 'generation'> {
  try {
    const { owned, generation } = JSON.parse(bytes.toString()) as { owned?: unknown; generation?: unknown }
    if (!Array.isArray(owned) || !Number.isSafeInteger(generation)) return { owned: [], generation: -1 }
    return { owned: owned.filter((one): one is number => Number.isSafeInteger(one)), generation: generation as number }
  } catch {
    return { owned: [], generation: -1 } // a new member says nothing
  }
}
