/** Commands whose destruction is told by their words: pattern, act, worth. Patterns are anchored and bounded. */
import type { Worth } from './destructive-text.ts'

export const destructiveCommands: readonly (readonly [RegExp, string, Worth])[] = [
  [/^(?:mkfs(?:\.\w+)?|wipefs|sgdisk .{0,100}(?:-Z|--zap)|blkdiscard|cryptsetup (?:erase|luksErase))\b/i, 'erasing a disk', 'store'],
  [/^(?:dd\b.{0,300}\bof=|shred\b.{0,200}|>)\s?\/dev\/(?:sd|nvme|vd|xvd|disk|mapper)/i, 'erasing a disk', 'store'],
  [
    /^vssadmin(?:\.exe)? .{0,40}delete .{0,20}shadows|^wbadmin(?:\.exe)? delete|^wmic .{0,20}shadowcopy delete|^bcdedit .{0,80}recoveryenabled no/i,
    'deleting backups',
    'backup',
  ],
  [
    /^(?:borg|restic|duplicity|velero|kopia|barman|pgbackrest)\b.{0,200}\b(?:delete|forget|prune|purge|remove|expire|remove-all-but)\b/i,
    'deleting backups',
    'backup',
  ],
  [
    /^(?:aws|gcloud|az|doctl|linode-cli|hcloud|oci|ibmcloud|flyctl|fly|railway|heroku|supabase|neonctl|pscale|scw)\b.{0,200}\b(?:delete|terminate|remove|destroy|deregister)\b.{0,40}(?:snapshot|backup|recovery-point)|^(?:aws|gcloud|az|doctl|hcloud|fly|flyctl|oci)\b.{0,100}(?:snapshots?|backups?)\b.{0,60}\b(?:delete|destroy|rm)\b/i,
    'deleting backups',
    'backup',
  ],
  [
    /^aws\b.{0,200}\b(?:delete-db-(?:instance|cluster)|delete-volume|terminate-instances|delete-table|delete-bucket|delete-stack|delete-cluster|delete-file-system|schedule-key-deletion|delete-domain)\b|^aws s3 (?:rb\b|rm\b.{0,200}--recursive|sync\b.{0,300}--delete\b)/i,
    'deleting cloud storage or machines',
    'store',
  ],
  [
    /^gcloud\b.{0,200}\b(?:instances|databases|disks|clusters|projects|buckets|services|topics)\b.{0,100}\bdelete\b|^(?:gsutil|gcloud storage)\b.{0,60}\b(?:rb|rm)\b.{0,60}(?:-r|--recursive)/i,
    'deleting cloud storage or machines',
    'store',
  ],
  [
    /^az\b.{0,120}\b(?:group|vm|disk|sql|storage|keyvault|aks|cosmosdb|postgres|mysql)\b.{0,100}\b(?:delete|purge)\b/i,
    'deleting cloud storage or machines',
    'store',
  ],
  [
    /^(?:doctl|hcloud|linode-cli|vultr-cli|scw|flyctl|fly|railway|heroku|pscale|neonctl|supabase)\b.{0,120}\b(?:destroy|delete|down|pg:reset|apps:destroy)\b/i,
    'deleting cloud storage or machines',
    'store',
  ],
  [
    /^kubectl\b.{0,200}\bdelete\b.{0,60}\b(?:ns|namespaces?|pvc?|persistentvolume(?:claim)?s?|crds?|customresourcedefinitions?|statefulsets?|sts|secrets?|--all)\b/i,
    'deleting what a cluster keeps',
    'store',
  ],
  [/^(?:terraform|tofu|terragrunt|pulumi|cdk)\b.{0,200}(?:\bdestroy\b|\s-destroy\b)/i, 'destroying infrastructure', 'store'],
  [/^helm\b.{0,100}\b(?:uninstall|delete)\b/i, 'removing a deployment', 'whole'],
  [/^(?:docker|podman) (?:volume (?:rm|prune)|system prune\b.{0,100}--volumes)/i, 'deleting volumes', 'store'],
  [/^(?:dropdb|mysqladmin\b.{0,200}\bdrop)\b/i, 'dropping a database', 'store'],
  [/^(?:(?:zfs|zpool) destroy|lvremove|vgremove)\b/i, 'deleting volumes', 'store'],
  [/^(?:redis-cli\b.{0,200}\bflush(?:all|db))\b/i, 'emptying a cache', 'slight'],
  [/^(?:gh|glab) repo (?:delete|archive)\b/i, 'deleting a repository', 'store'],
  [
    /^find\s+(?:\/|~|\$HOME|\/(?:home|var|srv|data|etc|usr|opt)\S{0,40})\s.{0,300}(?:-delete\b|-exec\s+(?:\/bin\/)?rm\b)/i,
    'recursive removal',
    'store',
  ],
  [
    /^(?:remove-item|ri)\b.{0,200}-recurse.{0,200}|^(?:rd|rmdir)\b.{0,20}\/s\b|^del\b.{0,30}\/s\b|^format(?:\.com)? [a-z]:/i,
    'recursive removal',
    'thing',
  ],
]
