/** The token a secret becomes before it leaves a collector: `⟦secret:kind:hash⟧`, a keyed hash per tenant. */
export const secretToken = (kind: string, hash: string): string => `⟦secret:${kind}:${hash}⟧`
/** Global: reset `lastIndex` is not needed with matchAll. Kind: [a-z0-9-]; hash: 16 hex. */
export const secretTokenPattern = /⟦secret:([a-z0-9-]+):([0-9a-f]{16})⟧/g
