/** Where the memories of a thread or an actor lie: its many detectors look there, each without a search of its own. */

/** `slots`: of each detector, what it found under `key` the last time. */
export type Spot<S> = Readonly<{ key: string; slots: (S | undefined)[] }>
export type Spots<S> = (tenant: string, name: string) => Spot<S>

const SPOTS_MAX = 8_192

/** The same spot for the same names, while it is remembered; when there are too many it begins anew. */
export function createSpots<S>(detectors: number): Spots<S> {
  const tenants = new Map<string, Map<string, Spot<S>>>()
  let count = 0
  return (tenant, name) => {
    const known = tenants.get(tenant)?.get(name)
    if (known) return known
    if (count >= SPOTS_MAX) {
      tenants.clear()
      count = 0
    }
    const spot: Spot<S> = { key: `${tenant}\0${name}`, slots: new Array(detectors).fill(undefined) }
    const names = tenants.get(tenant)
    if (names) names.set(name, spot)
    else tenants.set(tenant, new Map([[name, spot]]))
    count += 1
    return spot
  }
}
