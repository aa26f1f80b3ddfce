/** What this browser remembers: colours, and whether single keys act. Nothing about anybody’s data. */
import { effect, signal } from '@preact/signals'

export type Theme = 'system' | 'light' | 'dark'
const themes: readonly Theme[] = ['system', 'light', 'dark']
const read = (key: string): string | null => {
  try {
    return localStorage.getItem(key)
  } catch {
    return null // storage may be forbidden: defaults serve
  }
}
const write = (key: string, value: string): void => {
  try {
    localStorage.setItem(key, value)
  } catch {
    // as above
  }
}

export const theme = signal<Theme>(themes.find((name) => name === read('lapwing.theme')) ?? 'system')
export const keysOn = signal(read('lapwing.keys') !== 'off')
/** Counts up whenever colours change, for what is drawn on a canvas. */
export const repaint = signal(0)

export const nextTheme = (): Theme => themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'system'

export function applySettings(): void {
  effect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme.value
    write('lapwing.theme', theme.value)
    repaint.value = repaint.peek() + 1
  })
  effect(() => write('lapwing.keys', keysOn.value ? 'on' : 'off'))
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    repaint.value += 1
  })
}
