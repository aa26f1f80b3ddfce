/** Programs of others that judge our files: found on the machine, else built from Go modules or installed from PyPI into a cache folder. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lapwing-tools')
const buildMsMax = 15 * 60_000

export type Ran = Readonly<{ status: number | null; stdout: string; stderr: string }>
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options })
  return { status, stdout: stdout ?? '', stderr: `${stderr ?? ''}${error?.message ?? ''}` }
}
export const answers = (command: string, ...args: string[]): boolean => run(command, args).status === 0

/** A judge that cannot be had here is no fault of ours: it is said, in the last lines too, that nobody judged. */
function missing(t: TestContext, what: string): undefined {
  process.stderr.write(`NOT CHECKED: ${what}\n`)
  t.skip(what)
  return undefined
}

type GoTool = Readonly<{ name: string; module: string; version: string; probe: readonly string[] }>

export function goTool(t: TestContext, { name, module, version, probe }: GoTool): string | undefined {
  if (answers(name, ...probe)) return name
  const folder = join(cache, `${name}-${version}`)
  const made = join(folder, module.split('/').findLast((part) => !/^v\d+$/.test(part)) ?? name)
  if (existsSync(made)) return made
  if (!answers('go', 'version')) return missing(t, `${name} can not be built: Go is not installed`)
  mkdirSync(folder, { recursive: true })
  // Niced and narrow: a build must not starve what else is tested.
  const built = spawnSync('nice', ['-n', '19', 'go', 'install', `${module}@${version}`], {
    cwd: folder,
    env: { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false -p=2' },
    encoding: 'utf8',
    timeout: buildMsMax,
  })
  return built.status === 0 ? made : missing(t, `${name} can not be built: ${built.stderr.slice(-300)}`)
}

const kustomize = { name: 'kustomize', module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.0', probe: ['version'] }
/** The build of a folder by kustomize, be it its own program or kubectl's. */
export function kustomizeBuild(t: TestContext): ((folder: string) => Ran) | undefined {
  const free = ['--load-restrictor', 'LoadRestrictionsNone']
  if (!answers('kustomize', 'version') && answers('kubectl', 'kustomize', '--help'))
    return (folder) => run('kubectl', ['kustomize', folder, ...free])
  const program = goTool(t, kustomize)
  return program === undefined ? undefined : (folder) => run(program, ['build', folder, ...free])
}

export const composeSpec = { name: 'compose-spec', module: 'github.com/compose-spec/compose-go/v2/cmd', version: 'v2.16.2', probe: ['-h'] }

/** Kubernetes' own schemas, strictly: a field that does not exist is an error. */
export function kubernetesValidate(t: TestContext): string | undefined {
  const folder = join(cache, 'kubernetes-validate-1.37.0')
  const made = join(folder, 'bin', 'kubernetes-validate')
  if (existsSync(made)) return made
  const venv = run('python3', ['-m', 'venv', folder])
  if (venv.status !== 0) return missing(t, `kubernetes-validate can not be installed: ${venv.stderr.slice(-300)}`)
  const pip = run(join(folder, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', 'kubernetes-validate==1.37.0'])
  return pip.status === 0 ? made : missing(t, `kubernetes-validate can not be installed: ${pip.stderr.slice(-300)}`)
}
