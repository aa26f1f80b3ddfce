/** The Kubernetes files: each overlay builds, is valid by Kubernetes' own schemas, hardened, and of settings that exist. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { readConfig } from '../../commands/config.ts'
import { documentsOf, type Loose, root, variables } from './files.ts'
import { kubernetesValidate, kustomizeBuild, run } from './tools.ts'

const overlays = ['security-zone', 'api-gateway', 'microservices']
const folder = mkdtempSync(join(tmpdir(), 'lapwing-kubernetes-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** An overlay with autoscaling, as an operator's own kustomization puts them together. */
function together(overlay: string): string {
  const own = join(folder, overlay)
  mkdirSync(own, { recursive: true })
  const path = (part: string) => relative(own, join(root, 'deploy/kubernetes', part))
  writeFileSync(
    join(own, 'kustomization.yaml'),
    `resources: [${path(`overlays/${overlay}`)}]\ncomponents: [${path('components/autoscale')}]\n`,
  )
  return own
}

const workloads = (all: Loose[]): Loose[] => all.filter(({ kind }) => ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].includes(kind))
const named = (all: Loose[], kind: string, name: string): Loose => all.find((one) => one.kind === kind && one.metadata.name === name)

function checkPod(where: string, { spec }: Loose) {
  assert.equal(spec.automountServiceAccountToken, false, where)
  assert.ok(spec.serviceAccountName && spec.topologySpreadConstraints?.length > 0, where)
  assert.equal(spec.securityContext.runAsNonRoot, true, where)
  assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault', where)
  for (const container of spec.containers) {
    const { securityContext, resources, env = [] } = container
    assert.equal(securityContext.allowPrivilegeEscalation, false, where)
    assert.equal(securityContext.readOnlyRootFilesystem, true, where)
    assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, where)
    assert.ok(resources.requests.cpu && resources.requests.memory && resources.limits.memory, where)
    assert.match(container.image, /:\d+\.\d+\.\d+$/, where)
    for (const { name, value } of env) if (/TOKEN|PASSWORD/.test(name)) assert.match(value, /^\/secrets\//, `${where}: ${name}`)
  }
}

function checkRole(all: Loose[], role: string) {
  const workload = named(all, role === 'serve' ? 'StatefulSet' : 'Deployment', role)
  const { containers, volumes } = workload.spec.template.spec
  const [container] = containers
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) assert.ok(container[probe].httpGet, `${role}: ${probe}`)
  assert.ok(named(all, 'PodDisruptionBudget', role) && named(all, 'ServiceAccount', `lapwing-${role}`))
  const items = volumes.find(({ name }: Loose) => name === 'secrets').secret.items.map(({ path }: Loose) => `/secrets/${path}`)
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, 'a-secret')
  const settings = new Map<string, string>(
    Object.entries(all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('lapwing-config')).data),
  )
  for (const { name, value } of container.env) settings.set(name, value)
  for (const [name, value] of settings) {
    assert.ok(variables.has(name), `${role}: ${name} is no setting`)
    if (name.endsWith('_FILE') && value.startsWith('/secrets/')) {
      assert.ok(items.includes(value), `${role}: ${value} is not mounted`)
      settings.set(name, secretFile)
    }
  }
  const { config } = readConfig({}, Object.fromEntries(settings))
  assert.deepEqual([config.role, config.kafka.tls, config.kafka.saslPassword], [role, true, 'a-secret'])
  if (role === 'serve')
    assert.ok(
      workload.spec.volumeClaimTemplates.some(({ metadata }: Loose) => metadata.name === 'data'),
      'the outbox outlives the pod',
    )
}

for (const overlay of overlays) {
  test(`${overlay}: builds, is valid, runs nothing as root and refers to secrets without containing one`, (t) => {
    const build = kustomizeBuild(t)
    if (!build) return
    const { status, stdout, stderr } = build(together(overlay))
    assert.equal(status, 0, stderr)
    const all = documentsOf(stdout)
    assert.ok(!all.some(({ kind }) => kind === 'Secret'))
    for (const workload of workloads(all)) checkPod(`${overlay}: ${workload.metadata.name}`, workload.spec.template)
    for (const role of ['collect', 'detect', 'store', 'serve']) checkRole(all, role)
    const scaled = all.filter(({ kind }) => kind === 'ScaledObject')
    assert.deepEqual(scaled.map(({ spec }) => spec.scaleTargetRef.name).sort(), ['detect', 'store'])
    for (const { spec } of scaled) assert.match(spec.triggers[0].metadata.query, /lapwing_lag_records/)

    const validate = kubernetesValidate(t)
    if (!validate) return
    const file = join(folder, `${overlay}.yaml`)
    // ScaledObject is KEDA's: Kubernetes has no schema of it.
    writeFileSync(
      file,
      stdout
        .split(/^---$/m)
        .filter((part) => !part.includes('\nkind: ScaledObject'))
        .join('---'),
    )
    const verdict = run(validate, ['--strict', '--quiet', '-k', '1.32.0', file])
    assert.equal(verdict.status, 0, verdict.stdout)
  })
}

test('nothing is reached or reaches out but by a rule, and names are found', (t) => {
  const build = kustomizeBuild(t)
  if (!build) return
  const all = documentsOf(build(join(root, 'deploy/kubernetes/base')).stdout)
  const policies = all.filter(({ kind }) => kind === 'NetworkPolicy')
  assert.deepEqual(named(policies, 'NetworkPolicy', 'nothing').spec, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
  // Labels put on everything must not get into the selectors of other people's pods.
  const [{ to }] = named(policies, 'NetworkPolicy', 'names').spec.egress
  assert.deepEqual(to[0].podSelector.matchLabels, { 'k8s-app': 'kube-dns' })
})
