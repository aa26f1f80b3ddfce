/** `lapwing grafana`: writes the dashboards as files that Grafana provisions, one JSON each. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { loadQueries } from '../api/queries/catalog.ts'
import { dashboards } from '../dashboards/catalog.ts'
import { grafanaDashboard } from '../dashboards/grafana/dashboard.ts'
import { print } from './print.ts'

/** File name → text; the same input gives the same bytes. */
export async function grafanaFiles(): Promise<ReadonlyMap<string, string>> {
  const queries = await loadQueries()
  return new Map(
    dashboards.map((dashboard) => [`${dashboard.id}.json`, `${JSON.stringify(grafanaDashboard(dashboard, queries), null, 2)}\n`]),
  )
}

export function grafanaCommand(): Command {
  return new Command('grafana')
    .description('Write the dashboards for Grafana, with its ClickHouse data source')
    .option('--out <dir>', 'where the files go', 'deploy/grafana/dashboards')
    .action(async ({ out }: { out: string }) => {
      const dir = resolve(out)
      await mkdir(dir, { recursive: true })
      for (const [file, text] of await grafanaFiles()) {
        await writeFile(join(dir, file), text)
        await print(join(dir, file))
      }
    })
}
