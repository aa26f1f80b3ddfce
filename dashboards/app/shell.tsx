/** The frame around every view: where one can go, whether data is live, colours, help. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { signOut } from './api.ts'
import { useKeys } from './keys.ts'
import { href } from './route.ts'
import { keysOn, nextTheme, theme } from './settings.ts'
import { answeredAt, live } from './use-data.ts'

const places = [
  ['alerts', 'Alerts'],
  ['threads', 'Threads'],
  ['servers', 'Servers and tools'],
  ['dashboards', 'Dashboards'],
  ['detectors', 'Detectors'],
  ['health', 'Pipeline health'],
  ['connect', 'Connect'],
] as const

const keyHelp = [
  ['j / k', 'next / previous in a list'],
  ['Enter', 'open what has the focus'],
  ['a', 'acknowledge the alert'],
  ['u', 'back to the alerts'],
  ['r', 'hold or resume live refresh'],
  ['?', 'this help'],
] as const

function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl class="facts">
        {keyHelp.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={keysOn.value}
          onChange={(event) => {
            keysOn.value = event.currentTarget.checked
          }}
        />
        Single keys act
      </label>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  )
}

function Live() {
  const [now, tick] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 5_000)
    return () => clearInterval(timer)
  }, [])
  const stale = answeredAt.value > 0 && now - answeredAt.value > 30_000
  const text = !live.value ? 'Held' : stale ? 'No answer' : 'Live'
  return (
    <button
      type="button"
      aria-pressed={live.value}
      class={`live ${live.value && !stale ? 'on' : 'off'}`}
      onClick={() => {
        live.value = !live.value
      }}
    >
      {text}
    </button>
  )
}

function Bar({ help }: { help: () => void }) {
  return (
    <header class="bar">
      <span class="quiet">All times UTC</span>
      <Live />
      <button
        type="button"
        onClick={() => {
          theme.value = nextTheme()
        }}
      >
        Colours: {theme.value}
      </button>
      <button type="button" onClick={help}>
        Keys
      </button>
      <button type="button" onClick={() => void signOut()}>
        Sign out
      </button>
    </header>
  )
}

export function Shell({ here, children }: { here: string; children: ComponentChildren }) {
  const [helping, help] = useState(false)
  useKeys({
    '?': () => help(true),
    r: () => {
      live.value = !live.value
    },
    u: () => {
      location.hash = href(['alerts'])
    },
  })
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <nav aria-label="Main">
        <a class="brand" href={href(['alerts'])}>
          <img src={new URL('./icon.svg', import.meta.url).href} alt="" width="22" height="22" />
          Lapwing
        </a>
        <ul>
          {places.map(([path, title]) => (
            <li key={path}>
              <a href={href([path])} aria-current={path === here ? 'page' : undefined}>
                {title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="frame">
        <Bar help={() => help(true)} />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
      {helping && <Help close={() => help(false)} />}
    </div>
  )
}
