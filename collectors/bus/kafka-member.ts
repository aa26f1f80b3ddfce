/** One member of a consumer group: joins, beats, hands everything back before the group may give it to another, commits for its own generation only. */
import { setTimeout as sleep } from 'node:timers/promises'
import { assignPartitions, decodeClaim, encodeClaim } from './kafka-assign.ts'
import {
  type Broker,
  type Cluster,
  decodeAssignment,
  decodeMetadata,
  encodeAssignment,
  encodeMetadata,
  errorType,
  forget,
  isSettling,
} from './kafka-client.ts'

const assigner = 'lapwing-co-partitioned'
const rebalanceMsMax = 60_000

export type TopicPart = Readonly<{ topic: string; partition: number }>
/** What a member holds for as long as its generation lasts. */
export type Tenure = Readonly<{
  parts: readonly TopicPart[]
  /** `false`: the group no longer knows this generation, or does not answer; nothing was committed. */
  commit: (nexts: readonly (TopicPart & { next: bigint })[]) => Promise<boolean>
  committed: (parts: readonly TopicPart[]) => Promise<ReadonlyMap<string, bigint>>
}>
export type MemberOptions = Readonly<{
  /** Opens the connections again each time the old ones were given up. */
  open: () => Promise<Cluster>
  groupId: string
  topics: readonly string[]
  sessionMs: number
  heartbeatMs: number
  /** All that was held is given back; `lost`: others may have it already. Resolves when it may be given to others. */
  release: (lost: boolean) => Promise<void>
  take: (tenure: Tenure, cluster: Cluster) => void
  retryMs: (attempt: number) => number
  onFault: (error: unknown) => void
  signal: AbortSignal
}>
export type Member = Readonly<{
  /** Gives up the connections and joins again: for a client that stands still without an error. */
  renew: (reason: unknown) => void
  /** Leaves the group. What was held has to be released before. */
  ended: Promise<void>
  cluster: () => Cluster | undefined
}>

const lostTypes = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'])
const expectedTypes = new Set([...lostTypes, 'REBALANCE_IN_PROGRESS', 'MEMBER_ID_REQUIRED'])
const passingAttempts = 10
const byTopic = <P extends TopicPart>(parts: readonly P[]): (readonly [string, readonly P[]])[] => [
  ...Map.groupBy(parts, ({ topic }) => topic),
]
export const partName = ({ topic, partition }: TopicPart): string => `${topic}/${partition}`

type Session = { cluster: Cluster; coordinator: Broker; memberId: string; generation: number }

/** The coordinator moves when its broker goes. */
async function findAgain(session: Session, groupId: string, error: unknown): Promise<void> {
  forget(session.cluster, error)
  await session.cluster.refreshMetadata()
  session.coordinator = await session.cluster.findGroupCoordinator({ groupId })
}

function openTenure(session: Session, parts: readonly TopicPart[], { groupId, retryMs, onFault, signal }: MemberOptions): Tenure {
  const { memberId, generation } = session
  const attempts = 6
  return {
    parts,
    async commit(nexts) {
      const topics = byTopic(nexts).map(([topic, some]) => ({
        topic,
        partitions: some.map(({ partition, next }) => ({ partition, offset: String(next) })),
      }))
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        try {
          await session.coordinator.offsetCommit({ groupId, groupGenerationId: generation, memberId, topics })
          return true
        } catch (error) {
          // A new generation has begun: what was held then is not ours to commit (kafkajs#1046).
          if (lostTypes.has(errorType(error)) || errorType(error) === 'REBALANCE_IN_PROGRESS') return false
          if (attempt === attempts - 1) onFault(error)
          await sleep(Math.min(retryMs(attempt), 1_000))
          await findAgain(session, groupId, error).catch(() => undefined)
        }
      }
      return false
    },
    async committed(asked) {
      const topics = byTopic(asked).map(([topic, some]) => ({ topic, partitions: some.map(({ partition }) => ({ partition })) }))
      for (let attempt = 0; ; attempt += 1) {
        try {
          const { responses } = await session.coordinator.offsetFetch({ groupId, topics })
          const known = responses.flatMap(({ topic, partitions }) =>
            partitions.map(({ partition, offset }) => [partName({ topic, partition }), BigInt(offset)] as const),
          )
          return new Map(known.filter(([, offset]) => offset >= 0n))
        } catch (error) {
          if (signal.aborted || attempt >= attempts) throw error
          await sleep(retryMs(attempt))
          await findAgain(session, groupId, error).catch(() => undefined)
        }
      }
    },
  }
}

/** Answers what this member is to read. */
async function join(session: Session, options: MemberOptions, owned: readonly number[]): Promise<readonly TopicPart[]> {
  const { cluster } = session
  const { groupId, topics, sessionMs } = options
  session.coordinator = await cluster.findGroupCoordinator({ groupId })
  const { coordinator } = session
  const joined = await coordinator.joinGroup({
    ...{ groupId, sessionTimeout: sessionMs, rebalanceTimeout: rebalanceMsMax, memberId: session.memberId },
    groupProtocols: [{ name: assigner, metadata: encodeMetadata(topics, encodeClaim(owned, session.generation)) }],
  })
  const { generationId, memberId } = joined
  Object.assign(session, { memberId, generation: generationId })
  const groupAssignment: { memberId: string; memberAssignment: Buffer }[] = []
  if (joined.leaderId === memberId) {
    const claims = joined.members.map((member) => {
      const metadata = decodeMetadata(member.memberMetadata)
      return { memberId: member.memberId, topics: metadata?.topics ?? [], ...decodeClaim(metadata?.userData ?? Buffer.alloc(0)) }
    })
    await cluster.addMultipleTargetTopics([...new Set(claims.flatMap((claim) => claim.topics))])
    const assignment = assignPartitions(claims, (topic) => cluster.findTopicPartitionMetadata(topic).length)
    for (const [id, mine] of assignment) {
      const plain = Object.fromEntries([...mine].map(([topic, partitions]) => [topic, [...partitions]]))
      groupAssignment.push({ memberId: id, memberAssignment: encodeAssignment(plain) })
    }
  }
  const { memberAssignment } = await coordinator.syncGroup({ groupId, generationId, memberId, groupAssignment })
  return Object.entries(decodeAssignment(memberAssignment)).flatMap(([topic, partitions]) =>
    topics.includes(topic) ? partitions.map((partition) => ({ topic, partition })) : [],
  )
}

/** Beats until the group calls for a rebalance, which is an error like any other. */
async function beat(session: Session, { groupId, heartbeatMs, sessionMs, signal }: MemberOptions, renewed: AbortSignal): Promise<void> {
  const { memberId, generation } = session
  let heardAt = performance.now()
  const either = AbortSignal.any([signal, renewed])
  while (!signal.aborted) {
    await sleep(heartbeatMs, undefined, { signal: either }).catch(() => undefined)
    if (signal.aborted) return
    if (renewed.aborted) throw renewed.reason
    try {
      await session.coordinator.heartbeat({ groupId, groupGenerationId: generation, memberId })
      heardAt = performance.now()
    } catch (error) {
      if (expectedTypes.has(errorType(error)) || performance.now() - heardAt > sessionMs) throw error
      await findAgain(session, groupId, error).catch(() => undefined)
    }
  }
}

/** One that does not say goodbye holds its partitions until it is forgotten. */
async function leave(session: Session, groupId: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      await session.coordinator.leaveGroup({ groupId, memberId: session.memberId })
      return
    } catch (error) {
      if (lostTypes.has(errorType(error))) return
      await sleep(50 * 2 ** attempt)
      await findAgain(session, groupId, error).catch(() => undefined)
    }
  }
}

export function runMember(options: MemberOptions): Member {
  const { release, take, signal, onFault, retryMs, groupId } = options
  let session: Session | undefined
  let renewing = new AbortController()
  let owned: readonly number[] = []
  // Kept when connections are given up: a new name would have to wait until the group has forgotten the old one.
  let known = { memberId: '', generation: -1 }
  let isJoining = false
  signal.addEventListener('abort', () => {
    if (isJoining) session?.cluster.hangUp() // a group may take a minute to answer
  })
  const drop = async (): Promise<void> => {
    const old = session
    session = undefined
    await old?.cluster.abandon().catch(() => undefined)
  }
  async function live(): Promise<void> {
    let attempt = 0
    while (!signal.aborted) {
      try {
        // Safe: `join` finds the coordinator before anyone asks it.
        session ??= { cluster: await options.open(), coordinator: undefined as unknown as Broker, ...known }
        isJoining = true
        const parts = await join(session, options, owned)
        isJoining = false
        known = { memberId: session.memberId, generation: session.generation }
        if (signal.aborted) return
        owned = [...new Set(parts.map(({ partition }) => partition))]
        take(openTenure(session, parts, options), session.cluster)
        attempt = 0
        await beat(session, options, renewing.signal)
      } catch (error) {
        isJoining = false
        if (signal.aborted) return
        const type = errorType(error)
        const isExpected = expectedTypes.has(type)
        await release(lostTypes.has(type) || !isExpected)
        if (lostTypes.has(type)) known = { ...known, memberId: '' }
        if (session) session.memberId = known.memberId
        if (isExpected) continue
        const isPassing = isSettling(error) && attempt < passingAttempts
        if (!isPassing) onFault(error)
        if (!isPassing) await drop() // a connection that failed in a way we do not know is not asked again
        renewing = new AbortController()
        await sleep(retryMs(attempt), undefined, { signal }).catch(() => undefined)
        attempt += 1
      }
    }
  }
  const ended = live().then(async () => {
    if (session?.memberId) await leave(session, groupId)
    await drop()
  })
  return { ended, renew: (reason) => renewing.abort(reason), cluster: () => session?.cluster }
}
