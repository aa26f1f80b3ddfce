/** Where the page begins: token to cookie, then the view the address names. */
import { render } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { AlertView } from './alert.tsx'
import { AlertList } from './alerts.tsx'
import { type Listed, type Source, session, signIn, urlOf } from './api.ts'
import { Connect } from './connect.tsx'
import { Dashboards } from './dashboards.tsx'
import { Detectors } from './detectors.tsx'
import { Health } from './health.tsx'
import { Title } from './parts.tsx'
import { followAddress, type Route, route, takeToken } from './route.ts'
import { Servers, ServerView } from './servers.tsx'
import { applySettings } from './settings.ts'
import { Shell } from './shell.tsx'
import { SignIn } from './sign-in.tsx'
import { ThreadList, ThreadView } from './threads.tsx'
import { useData } from './use-data.ts'

const titles = new Map([
  ['alerts', 'Alerts'],
  ['threads', 'Threads'],
  ['servers', 'Servers and tools'],
  ['dashboards', 'Dashboards'],
  ['detectors', 'Detectors'],
  ['health', 'Pipeline health'],
  ['connect', 'Connect'],
])

function View({ path: [place = 'alerts', id] }: Pick<Route, 'path'>) {
  if (place === 'alerts') return id === undefined ? <AlertList /> : <AlertView key={id} id={id} />
  if (place === 'threads') return id === undefined ? <ThreadList /> : <ThreadView key={id} id={id} />
  if (place === 'servers') return id === undefined ? <Servers /> : <ServerView key={id} id={id} />
  if (place === 'dashboards') return <Dashboards id={id ?? 'overview'} />
  if (place === 'detectors') return <Detectors />
  if (place === 'health') return <Health />
  if (place === 'connect') return <Connect />
  return <Title>There is no such view</Title>
}

function Page() {
  const { path } = route.value
  const at = path.slice(0, 2).join('/')
  // Nothing has arrived yet: what one needs then is how to connect something.
  const start = path.length === 0
  const sources = useData<Listed<Source>>(start ? urlOf(['sources']) : undefined, 3_000)
  const empty = start && sources.value?.items.length === 0
  const place = path[0] ?? (empty ? 'connect' : 'alerts')
  const first = useRef(true)
  useEffect(() => {
    document.title = `${titles.get(place) ?? 'Not found'} · Lapwing`
    // A new view is announced by its heading; at the first one the focus stays where the browser put it.
    if (!first.current) document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
    first.current = false
    scrollTo(0, 0)
  }, [at, place])
  if (session.value === 'out') return <SignIn />
  if (start && sources.value === undefined && sources.problem === undefined) return <main class="sign-in quiet">Lapwing …</main>
  return <Shell here={place}>{empty ? <Connect /> : <View path={path} />}</Shell>
}

async function start(): Promise<void> {
  applySettings()
  const token = takeToken()
  // A wrong token leads to the form, which the first 401 opens.
  if (token !== undefined) await signIn(token).catch(() => undefined)
  followAddress()
  const page = document.getElementById('page')
  if (page !== null) render(<Page />, page)
}
void start()
