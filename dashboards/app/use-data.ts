/** Asks the API for what a view shows, and again while the view is looked at. Old values stay until new ones come. */
import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { get, type Problem, session } from './api.ts'

/** Live refresh may be held, so that a list stands still while it is read. */
export const live = signal(true)
/** When anything was last answered: shown in the header. */
export const answeredAt = signal(0)

export type Data<T> = Readonly<{ value?: T | undefined; problem?: Problem | undefined; again: () => void }>
type Kept<T> = Readonly<{ url: string; value?: T | undefined; problem?: Problem | undefined }>

const isProblem = (error: unknown): error is Problem => typeof error === 'object' && error !== null && 'detail' in error

/** `url` undefined: nothing is asked. `everyMs` 0: once. */
export function useData<T>(url: string | undefined, everyMs = 0): Data<T> {
  const [kept, keep] = useState<Kept<T>>({ url: '' })
  const [round, turn] = useState(0)
  const open = session.value
  useEffect(() => {
    if (url === undefined || open === 'out') return undefined
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      try {
        if (round === 0 || document.visibilityState === 'visible') {
          const value = await get<T>(url, stop.signal)
          if (stop.signal.aborted) return
          answeredAt.value = Date.now()
          keep({ url, value })
        }
      } catch (error) {
        if (stop.signal.aborted) return
        const problem = isProblem(error) ? error : { status: 0, detail: String(error) }
        keep((before) => ({ ...(before.url === url ? before : {}), url, problem }))
      }
      if (everyMs > 0 && !stop.signal.aborted) timer = setTimeout(next, everyMs)
    }
    const next = (): void => {
      if (live.value) void ask()
      else timer = setTimeout(next, everyMs)
    }
    void ask()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [url, everyMs, round, open])
  const again = () => turn((before) => before + 1)
  return kept.url === url ? { value: kept.value, problem: kept.problem, again } : { again }
}
