/** Where the page is: everything after `#` in the address, so that every view can be linked and the server serves one file. */
import { signal } from '@preact/signals'

export type Route = Readonly<{ path: readonly string[]; query: ReadonlyMap<string, string> }>

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  return { path: path.split('/').filter(Boolean).map(decoded), query: new Map(new URLSearchParams(query)) }
}

export const route = signal<Route>(routeOf(''))

export function href(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '')
  const text = new URLSearchParams(given).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`
}

/** The same view with other settings; the view before them is not kept in the history. */
export function refine(changes: Readonly<Record<string, string | undefined>>): void {
  const { path, query } = route.value
  history.replaceState(null, '', href(path, { ...Object.fromEntries(query), ...changes }))
  route.value = routeOf(location.hash)
}

export function followAddress(): void {
  const read = () => {
    route.value = routeOf(location.hash)
  }
  addEventListener('hashchange', read)
  read()
}

/** The token of `#token=…`, taken out of the address and the history before anything else happens. */
export function takeToken(): string | undefined {
  const token = /^#token=([^&]+)/.exec(location.hash)?.[1]
  if (token !== undefined) history.replaceState(null, '', '#/')
  return token === undefined ? undefined : decoded(token)
}
