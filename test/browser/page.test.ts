/** The page in a real browser on the real API: every view in both colours, reachable, readable, and deaf to hostile text. */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { chromiumPath, openBrowser, openPage, token } from './open-page.ts'
import { hostile, hostileNames, ordinary, stolenChats } from './stories.ts'

const skip = chromiumPath === undefined ? 'no Chromium on this machine: apt-get install chromium' : false
const waitMsMax = 10_000
const textOf = async (locator: Locator): Promise<string> => (await locator.textContent()) ?? ''
const shots = mkdtempSync(join(tmpdir(), 'lapwing-shots-'))

describe('the page', { skip }, () => {
  let open: Awaited<ReturnType<typeof openPage>>
  let browser: Browser
  const said: string[] = []

  async function visit(signedIn = true): Promise<{ context: BrowserContext; page: Page }> {
    const context = await browser.newContext({ viewport: { width: 1_440, height: 900 } })
    context.setDefaultTimeout(waitMsMax)
    const page = await context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') said.push(message.text())
    })
    page.on('pageerror', (error) => said.push(error.message))
    page.on('dialog', (dialog) => {
      said.push(`dialog ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(`${open.url}${signedIn ? `#token=${token}` : ''}`)
    return { context, page }
  }
  /** Goes to a view and waits until nothing in it is still to come. */
  async function go(page: Page, view: string): Promise<void> {
    let asked = 0
    let answered = 0
    page.on('request', () => {
      asked += 1
    })
    const done = () => {
      answered += 1
    }
    page.on('requestfinished', done).on('requestfailed', done)
    await page.evaluate((to) => {
      location.hash = to
    }, view)
    for (let quiet = 0, turn = 0; quiet < 3 && turn < 200; turn += 1) {
      await page.waitForTimeout(40)
      const loading = await page.evaluate(() => document.querySelector('h1') === null || /Loading /.test(document.body.textContent ?? ''))
      quiet = loading || answered < asked ? 0 : quiet + 1
    }
    page.removeAllListeners('request').removeAllListeners('requestfinished').removeAllListeners('requestfailed')
  }
  async function idOf(page: Page, detector: string): Promise<string> {
    const items = await page.evaluate(
      async (named) => ((await (await fetch(`/v1/alerts?detector=${named}&limit=1`)).json()) as { items: { alert_id: string }[] }).items,
      detector,
    )
    return items[0]?.alert_id ?? assert.fail(`no alert of ${detector}`)
  }
  /** What axe finds, told so that one can mend it. */
  async function complaints(page: Page, where: string, only?: string[]): Promise<string[]> {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const { violations } = await (only ? new AxeBuilder({ page }).withRules(only) : new AxeBuilder({ page }).withTags(tags)).analyze()
    return violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${where}: ${id}: ${html.slice(0, 160)} ${failureSummary}`),
    )
  }

  before(async () => {
    open = await openPage()
    browser = await openBrowser()
  })
  after(async () => {
    await browser?.close()
    await open?.[Symbol.asyncDispose]()
  })

  test('an empty store shows how to connect, and a snippet turns green with its first event', async () => {
    const { context, page } = await visit()
    await page.getByRole('heading', { name: 'Connect a source' }).waitFor()
    assert.equal(await page.locator('.snippet').count(), 4)
    assert.equal(await page.locator('.snippet.arrived').count(), 0)
    assert.match(await textOf(page.locator('.snippet').first()), /"command": "\/opt\/node\/bin\/node"/)
    assert.deepEqual(await complaints(page, 'connect, empty'), [])
    await page.screenshot({ path: join(shots, 'connect-empty-light.png'), fullPage: true })
    await page.getByRole('link', { name: 'Connect', exact: true }).click()
    await open.fill('ordinary', ordinary, { dialect: 'lapwing-tap', transport: 'stdio' })
    await page.locator('.snippet.arrived').waitFor()
    assert.match(await textOf(page.locator('.snippet.arrived')), /stdio[\s\S]*Connected/)
    await context.close()
  })

  test('the token of the address becomes a cookie scripts cannot read, and leaves address and history', async () => {
    const { context, page } = await visit()
    await page.locator('h1').waitFor()
    assert.equal(page.url().includes('token'), false)
    const cookies = await context.cookies()
    assert.deepEqual(
      cookies.map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite })),
      [{ httpOnly: true, sameSite: 'Strict' }],
    )
    assert.equal(await page.evaluate(() => document.cookie), '')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Token').waitFor()
    await context.close()
  })

  test('without a session there is a form; a wrong token is told, the right one opens', async () => {
    const { context, page } = await visit(false)
    const field = page.getByLabel('Token')
    await field.fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('That is not the token.').waitFor()
    assert.deepEqual(await complaints(page, 'sign-in'), [])
    await field.fill(token)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Alerts' }).waitFor()
    said.length = 0 // the browser reports the 401s that were meant
    await context.close()
  })

  test('alerts that come while the list is open appear in it', async () => {
    const { context, page } = await visit()
    await page.getByRole('heading', { name: 'Alerts' }).waitFor()
    await open.fill('stolen-chats', stolenChats)
    await page.getByText('just came').waitFor()
    await open.fill('hostile-names', hostileNames)
    await context.close()
  })

  test('three clicks lead from the start to the poisoned definition behind stolen content', async () => {
    const { context, page } = await visit()
    await page.getByRole('link', { name: 'Content of one place leaves through another' }).first().click() // 1
    await page.getByRole('heading', { name: 'From source to sink' }).waitFor()
    await page.getByText('Definitions in play').waitFor()
    await page.locator('.related-definition').first().waitFor()
    const [source, sink] = [page.locator('.end.source'), page.locator('.end.sink')]
    assert.match(await textOf(source), /list_chats/)
    assert.match(await textOf(sink), /send_message[\s\S]*\+13241234123/)
    await page.locator('.related-definition a').filter({ hasText: 'holds' }).first().click() // 2
    const definition = page.locator('.definition mark').first()
    await definition.waitFor()
    assert.match(await textOf(page.locator('.definition').first()), /change recipient to \+13241234123/)
    await page
      .getByRole('link', { name: /All versions of/ })
      .first()
      .click() // 3
    await page.getByText('Version 2').first().waitFor()
    assert.match((await page.locator('.diff ins').allInnerTexts()).join(' '), /IMPORTANT/)
    await context.close()
  })

  test('the keyboard alone moves through alerts, opens one, acknowledges it and goes back', async () => {
    const { context, page } = await visit()
    await page.locator('a.alert-link').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    const links = page.locator('a.alert-link')
    assert.equal(await links.first().evaluate((link) => link === document.activeElement), true)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Acknowledge' }).waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H1')
    await page.keyboard.press('a')
    await page.locator('.title').getByText('Acknowledged by').waitFor()
    await page.keyboard.press('u')
    await page.getByRole('heading', { name: 'Alerts' }).waitFor()
    await page.locator('td').getByText('Acknowledged', { exact: true }).first().waitFor()
    await page.keyboard.press('?')
    await page.getByLabel('Single keys act').uncheck()
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    assert.equal(await links.first().evaluate((link) => link === document.activeElement), false)
    await context.close()
  })

  test('filters narrow the list and stand in the address', async () => {
    const { context, page } = await visit()
    await page.locator('a.alert-link').first().waitFor()
    await page.getByRole('button', { name: 'critical' }).click()
    await page.waitForFunction(() => {
      const chips = [...document.querySelectorAll('td .severity')]
      return chips.length > 0 && chips.every((chip) => chip.textContent === 'critical')
    })
    assert.match(page.url(), /severity=critical/)
    assert.ok((await page.locator('a.alert-link').count()) > 0)
    await page.getByLabel('Actor').fill('nobody')
    await page.keyboard.press('Enter')
    await page.getByText('No alert matches these filters.').waitFor()
    await page.getByRole('link', { name: 'Clear' }).click()
    await page.locator('a.alert-link').first().waitFor()
    await context.close()
  })

  test('every view, light and dark: complete, without a complaint of axe or the browser, hostile text inert', async () => {
    said.length = 0
    const { context, page } = await visit()
    await page.locator('a.alert-link').first().waitFor()
    const [theft, poison, drift] = [
      await idOf(page, 'taint-to-sink'),
      await idOf(page, 'definition-lint'),
      await idOf(page, 'definition-drift'),
    ]
    const read = <T>(path: string) => page.evaluate(async (url) => (await fetch(url)).json() as Promise<T>, path)
    const { thread_id: thread } = await read<{ thread_id: string }>(`/v1/alerts/${theft}`)
    const { items: servers } = await read<{ items: { server_id: string; alias: string }[] }>('/v1/servers')
    const server = servers.find(({ alias }) => alias.includes('<script>')) ?? assert.fail('no hostile server')
    const dashboards = ['overview', 'exfiltration', 'injection-and-poisoning', 'servers-and-drift', 'pipeline-health']
    const views = [
      ...['alerts', `alerts/${theft}`, `alerts/${poison}`, `alerts/${drift}`, 'threads', `threads/${encodeURIComponent(thread)}`],
      ...['servers', `servers/${encodeURIComponent(server.server_id)}`, ...dashboards.map((id) => `dashboards/${id}`)],
      ...['detectors', 'detectors/taint-to-sink', 'health', 'connect', 'nowhere'],
    ]
    const found: string[] = []
    for (const [at, view] of views.entries()) {
      await go(page, `#/${view}`)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        await page.screenshot({
          path: join(shots, `${String(at).padStart(2, '0')}-${view.replace(/\W.*/, '')}-${colorScheme}.png`),
          fullPage: true,
        })
        // The second time only colours are new.
        const only = colorScheme === 'dark' ? ['color-contrast', 'link-in-text-block'] : undefined
        found.push(...(await complaints(page, `${view} in ${colorScheme}`, only)))
      }
    }
    assert.equal(await page.evaluate(() => (globalThis as { pwned?: number }).pwned), undefined)
    assert.deepEqual(found, [])
    assert.deepEqual(said, [])
    await context.close()
  })

  test('on a window as narrow as a phone the page itself never scrolls sideways', async () => {
    const { context, page } = await visit()
    await page.setViewportSize({ width: 320, height: 800 })
    await page.locator('a.alert-link').first().waitFor()
    const views = [
      'alerts',
      `alerts/${await idOf(page, 'taint-to-sink')}`,
      'servers',
      'dashboards/overview',
      'detectors/taint-to-sink',
      'health',
      'connect',
    ]
    for (const view of views) {
      await go(page, `#/${view}`)
      await page.screenshot({ path: join(shots, `narrow-${view.replace(/\W.*/, '')}.png`) })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      assert.ok(wide <= 320, `${view} is ${wide} wide`)
    }
    await context.close()
  })

  test('hostile names stand in the page as text: no element of theirs, no direction of theirs, nothing invisible', async () => {
    const { context, page } = await visit()
    await go(page, '#/servers')
    const link = page.locator('a.server-link').filter({ hasText: '<script>' })
    assert.equal(await link.count(), 1)
    const shown = await link.evaluate((element) => ({
      text: element.textContent ?? '',
      bidi: getComputedStyle(element.firstElementChild ?? element).unicodeBidi,
    }))
    assert.match(shown.text, /<script>globalThis\.pwned=1<\/script><img src=x onerror=/)
    await link.click()
    await page.locator('.definition').first().waitFor()
    const text = await page.evaluate(() => document.body.textContent ?? '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2066-\u2069\u200b\u{e0000}-\u{e007f}]/u)
    for (const name of ['RLO', 'ESC', 'LRI', 'hidden: call export first']) assert.ok(text.includes(name), name)
    assert.equal(shown.bidi, 'isolate')
    assert.equal(await page.locator('main script, main img[src="x"]').count(), 0)
    assert.ok(hostile.length > 0)
    await context.close()
  })

  test('the policy holds: neither markup nor inline script can be made to run in it', async () => {
    const { context, page } = await visit()
    await page.locator('h1').waitFor()
    const before = said.length
    const outcome = await page.evaluate(() => {
      try {
        document.body.insertAdjacentHTML('beforeend', '<b>x</b>')
        return 'taken'
      } catch (error) {
        return String(error)
      }
    })
    assert.match(outcome, /TrustedHTML/)
    await page
      .evaluate(() => {
        const script = document.createElement('img')
        script.setAttribute('onerror', 'globalThis.pwned = 3')
        script.src = 'data:,'
        document.body.append(script)
      })
      .catch(() => undefined)
    assert.equal(await page.evaluate(() => (globalThis as { pwned?: number }).pwned), undefined)
    said.length = before
    await context.close()
  })

  test('where the pictures are', (t) => t.diagnostic(`screenshots in ${shots}`))
})
