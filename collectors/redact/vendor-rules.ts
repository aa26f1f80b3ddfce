/** Secrets that can be told by their own form: a fixed prefix, an alphabet, a length. One line per issuer. */
import { distinct, isPlausibleKey, isPlausibleToken } from './plausible.ts'

/**
 * `pattern` is tried at most `back` characters before the literal and never spans more than its own counted lengths,
 * so each literal costs a bounded number of steps. Group 1, where there is one, is the secret; otherwise all of it.
 */
export type VendorRule = Readonly<{
  kind: string
  literals: readonly string[]
  pattern: RegExp
  back: number
  accept: (value: string) => boolean
}>
type Options = Readonly<{ back?: number; distinctMin?: number; accept?: (value: string) => boolean }>

function rule(kind: string, literals: readonly string[], source: string, options: Options = {}): VendorRule {
  const { back = 0, distinctMin = 6, accept = (value: string) => isPlausibleToken(value, distinctMin) } = options
  return { kind, literals, pattern: new RegExp(source, back === 0 ? 'y' : 'g'), back, accept }
}

const word = '[A-Za-z0-9_-]'
const alnum = '[A-Za-z0-9]'
const hex = '[0-9a-fA-F]'

/** Header and payload must be JSON; an unsigned token (`alg: none`) proves nothing and is no secret. */
function isJwt(value: string): boolean {
  const [header = '', payload = '', signature = ''] = value.split('.')
  if (signature.length < 8 || payload.length < 4) return false
  const opening = Buffer.from(header.slice(0, 400), 'base64url').toString('latin1')
  return /^\{\s{0,4}"(?:alg|typ|kid|enc|cty|jku|jwk|x5[ctu])/.test(opening) || /"(?:alg|enc)"/.test(opening)
}

/** A pattern of two parts: `1234567890:AA…`. Groups of one digit are made up. */
const varied = (value: string): boolean => distinct(value) >= 10

export const vendorRules: readonly VendorRule[] = [
  // Version control and builds
  rule('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], `gh[pousr]_${alnum}{30,255}`),
  rule('github-token', ['github_pat_'], 'github_pat_[A-Za-z0-9_]{36,255}'),
  rule(
    'gitlab-token',
    ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'glcbt-', 'glft-', 'glsoat-', 'glimt-', 'glagent-', 'glffct-', 'gloas-'],
    `gl[a-z]{2,6}-[A-Za-z0-9_.-]{20,300}`,
  ),
  rule('gitlab-token', ['gr1348941'], `GR1348941${word}{20,50}`, { distinctMin: 9 }),
  rule('bitbucket-token', ['atbb'], `ATBB${alnum}{28,36}`),
  rule('atlassian-token', ['atatt3', 'atctt3'], `AT[AC]TT3[A-Za-z0-9_=-]{60,300}`),
  rule('npm-token', ['npm_'], `npm_${alnum}{36,64}`),
  rule('pypi-token', ['pypi-age'], `pypi-AgE${word}{12,600}`),
  rule('rubygems-token', ['rubygems_'], `rubygems_${hex}{48}`),
  rule('clojars-token', ['clojars_'], `CLOJARS_[0-9a-z]{60}`),
  rule('buildkite-token', ['bkua_'], `bkua_${hex}{40}`),
  rule('circleci-token', ['ccipat_', 'ccipa_'], `CCIPA?T_[A-Za-z0-9_]{40,120}`),
  rule('sonar-token', ['sqp_', 'squ_', 'sqa_'], `sq[pua]_${hex}{40}`),
  rule('sourcegraph-token', ['sgp_'], `sgp_(?:(?:local|[0-9a-fA-F]{16})_)?${hex}{40}`, { distinctMin: 12 }),
  rule('artifactory-token', ['akcp'], `AKCp${alnum}{60,80}`),
  rule('artifactory-token', ['cmvmd'], `cmVmd${alnum}{50,80}`),
  rule('docker-token', ['dckr_pat_', 'dckr_oat_'], `dckr_[po]at_${word}{20,60}`),
  // Clouds
  rule('aws-access-key', ['akia', 'asia', 'abia', 'acca', 'a3t'], `(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{15,16}`, { distinctMin: 5 }),
  rule('aws-bedrock-key', ['absk'], `ABSK[A-Za-z0-9+/]{100,269}={0,2}`),
  rule('aws-bedrock-key', ['bedrock-api-key-'], `bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]{0,2000}`),
  rule('google-api-key', ['aiza'], `AIza${word}{35}`, {
    distinctMin: 14,
    accept: (value) => isPlausibleToken(value, 14) && !/abcdefghij/.test(value),
  }),
  rule('google-oauth', ['gocspx-'], `GOCSPX-${word}{28}`),
  rule('google-oauth', ['ya29.'], `ya29\\.${word}{30,600}`),
  rule('azure-client-secret', ['q~'], `[A-Za-z0-9_~.-]{3}\\dQ~[A-Za-z0-9_~.-]{31,34}`, { back: 4, distinctMin: 12 }),
  rule('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], `do[por]_v1_${hex}{64}`),
  rule('cloudflare-key', ['v1.0-'], `v1\\.0-${hex}{24}-${hex}{140,150}`),
  rule('alibaba-key', ['ltai'], `LTAI${alnum}{17,21}`, {
    distinctMin: 10,
    accept: (value) => isPlausibleToken(value, 10) && /\d/.test(value),
  }),
  rule('yandex-token', ['aqvn', 't1.'], `(?:AQVN${word}{35,38}|t1\\.[A-Z0-9a-z_-]{20,400}={0,2}\\.[A-Z0-9a-z_-]{86}={0,2})`),
  rule('heroku-key', ['hrku-'], `HRKU-${word}{50,70}`),
  rule('fly-token', ['fm1_', 'fm1a_', 'fm1r_', 'fm2_', 'fo1_'], `f(?:m[12][ar]?|o1)_[A-Za-z0-9+/_-]{40,2000}={0,3}`),
  rule('vault-token', ['hvs.', 'hvb.', 'hvr.'], `hv[sbr]\\.${word}{24,300}`),
  rule('terraform-token', ['.atlasv1.'], `${alnum}{14}\\.atlasv1\\.${word}{60,70}`, { back: 14 }),
  rule('pulumi-token', ['pul-'], `pul-${hex}{40}`),
  rule('databricks-token', ['dapi'], `dapi${hex}{32}(?:-\\d)?`),
  rule('planetscale-token', ['pscale_'], `pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.=-]{32,64}`),
  rule('supabase-key', ['sbp_', 'sb_secret_'], `(?:sbp_${hex}{40}|sb_secret_${word}{20,60})`),
  rule('clickhouse-key', ['4b1d'], `4b1d${alnum}{38}`, { distinctMin: 12 }),
  rule('openshift-token', ['sha256~'], `sha256~${word}{43}`, { distinctMin: 12 }),
  rule('tailscale-key', ['tskey-'], `tskey-(?:api|auth|client|webhook)-${word}{16,80}`),
  rule('doppler-token', ['dp.'], `dp\\.(?:pt|st|ct|sa|scim|audit)\\.[A-Za-z0-9_.-]{40,80}`),
  rule('dynatrace-token', ['dt0c01.'], `dt0c01\\.[A-Z0-9]{24}\\.[A-Z0-9]{64}`),
  rule('infracost-key', ['ico-'], `ico-${alnum}{32}`, { distinctMin: 12, accept: (value) => distinct(value) >= 12 && /[A-Z]/.test(value) }),
  rule('prefect-key', ['pnu_'], `pnu_${alnum}{36}`),
  rule('azure-account-key', ['accountkey=', 'sharedaccesskey='], `(?:Account|SharedAccess)Key=([A-Za-z0-9+/]{40,100}={0,2})`),
  // Models
  rule('anthropic-key', ['sk-ant-'], `sk-ant-[a-z]{2,8}\\d{2}-${word}{80,120}AA`),
  rule('openrouter-key', ['sk-or-'], `sk-or-v1-${alnum}{30,80}`),
  rule('openai-key', ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-none-'], `sk-(?:proj|svcacct|admin|None)-${word}{32,220}`),
  rule('openai-key', ['t3blbkfj'], `sk-${word}{20,100}T3BlbkFJ${word}{20,100}`, { back: 120 }),
  rule('api-key', ['sk-'], `sk-${alnum}{20,128}`, { accept: (value) => isPlausibleKey(value, false) && distinct(value) >= 12 }),
  rule('huggingface-token', ['hf_', 'api_org_'], `(?:hf|api_org)_[A-Za-z]{34}`, {
    distinctMin: 12,
    accept: (v) => isPlausibleToken(v, 12) && /[A-Z].*[A-Z].*[A-Z]/.test(v),
  }),
  rule('groq-key', ['gsk_'], `gsk_${alnum}{48,60}`),
  rule('xai-key', ['xai-'], `xai-${alnum}{70,90}`),
  rule('replicate-token', ['r8_'], `r8_${alnum}{37,40}`),
  rule('perplexity-key', ['pplx-'], `pplx-${alnum}{40,60}`),
  rule('tavily-key', ['tvly-'], `tvly-${word}{20,60}`, { distinctMin: 10 }),
  rule('langsmith-key', ['lsv2_'], `lsv2_(?:pt|sk)_${hex}{32}_${hex}{10}`),
  // Messaging and webhooks
  rule(
    'slack-token',
    ['xoxb-', 'xoxp-', 'xoxa-', 'xoxs-', 'xoxr-', 'xoxo-', 'xoxe-', 'xoxe.xox', 'xoxc-', 'xoxd-'],
    `xox[a-eoprs](?:\\.xox[bp])?-(?:\\d-(?:\\d{8,14}-){0,4}|(?:\\d{8,14}-){1,4})${alnum}{10,400}(?!${alnum}|-#)`,
    { accept: (v) => distinct(v) >= 8 && !/here$|x{6}/i.test(v) && /\d/.test(v.slice(v.lastIndexOf('-'))) },
  ),
  rule('slack-token', ['xapp-'], `xapp-\\d-[A-Z0-9]{5,20}-\\d{5,20}-[a-z0-9]{20,100}`),
  rule('slack-webhook', ['hooks.slack.com/'], `hooks\\.slack\\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/_-]{20,120})`, {
    distinctMin: 4,
  }),
  rule('discord-webhook', ['/api/webhooks/'], `/api/webhooks/\\d{9,22}/([A-Za-z0-9_-]{6,100})`, { distinctMin: 4 }),
  rule('teams-webhook', ['webhook.office.com/'], `webhook\\.office\\.com/webhookb2/([A-Za-z0-9@/_-]{60,260})`),
  rule('telegram-token', [':aa'], `\\d{8,10}:AA${word}{32,34}`, { back: 10, accept: varied }),
  rule(
    'twilio-key',
    [...'0123456789abcdef'].map((digit) => `sk${digit}`),
    `SK[0-9a-f]{32}`,
  ),
  rule('sendgrid-key', ['sg.'], `SG\\.${word}{16,24}\\.${word}{18,50}`, { accept: (value) => distinct(value) >= 9 }),
  rule('mailgun-key', ['key-'], `(?<![\\w-])key-${hex}{32}`),
  rule('mailchimp-key', ['-us'], `${hex}{32}-us\\d{1,2}`, { back: 32 }),
  rule('brevo-key', ['xkeysib-', 'xsmtpsib-'], `x(?:key|smtp)sib-${hex}{64}-${alnum}{16}`),
  // Money and shops
  rule(
    'stripe-key',
    ['sk_live_', 'sk_test_', 'sk_prod_', 'rk_live_', 'rk_test_', 'rk_prod_', 'whsec_'],
    `(?:[sr]k_(?:live|test|prod)|whsec)_[A-Za-z0-9+/=]{10,120}`,
  ),
  rule('stripe-publishable-key', ['pk_live_'], `pk_live_${alnum}{16,120}`, { distinctMin: 5 }),
  rule('square-token', ['sq0atp-', 'sq0csp-'], `sq0(?:atp|csp)-${word}{22,50}`),
  rule('square-token', ['eaaa'], `EAAA${word}{60}`, { distinctMin: 16 }),
  rule('shopify-token', ['shpat_', 'shpca_', 'shppa_', 'shpss_'], `shp(?:at|ca|pa|ss)_${hex}{32}`),
  rule('easypost-key', ['ezak', 'eztk'], `EZ[AT]K${alnum}{54}`, { distinctMin: 14 }),
  rule('flutterwave-key', ['flwseck', 'flwpubk'], `FLW(?:SECK|PUBK)(?:_TEST)?-[a-h0-9]{12,40}(?:-X)?`),
  rule('facebook-token', ['eaam', 'eaac', 'eaab', 'eaag'], `EAA[MCBG]${alnum}{100,400}`, { distinctMin: 20 }),
  rule('facebook-token', ['|'], `\\d{15,16}\\|${word}{27,40}`, { back: 16, accept: varied }),
  // Tools people give to an agent
  rule('notion-token', ['ntn_'], `ntn_\\d{10,11}${alnum}{35,36}`, { distinctMin: 14 }),
  rule('notion-token', ['secret_'], `secret_${alnum}{43}`, { distinctMin: 14 }),
  rule('linear-key', ['lin_api_', 'lin_oauth_'], `lin_(?:api|oauth)_${alnum}{40,64}`),
  rule('figma-token', ['figd_', 'figo_', 'figu_'], `fig[dou]_${word}{38,60}`),
  rule('airtable-token', ['pat'], `pat${alnum}{14}\\.${hex}{64}`),
  rule('postman-key', ['pmak-'], `PMAK-${hex}{24}-${hex}{34}`),
  rule('grafana-token', ['glc_', 'glsa_'], `(?:glc_[A-Za-z0-9+/]{32,400}={0,3}|glsa_${alnum}{32}_${hex}{8})`, { distinctMin: 12 }),
  rule('newrelic-key', ['nrak-', 'nriq-', 'nrjs-', 'nrii-'], `NR(?:AK|IQ|II)-[A-Za-z0-9-]{27,32}`),
  rule('sentry-token', ['sntrys_', 'sntryu_'], `(?:sntrys_eyJ[A-Za-z0-9+/=_-]{30,500}|sntryu_${hex}{64})`),
  rule('1password-token', ['ops_eyj'], `ops_eyJ[A-Za-z0-9+/_-]{100,2000}={0,3}`, { accept: (value) => distinct(value) >= 24 }),
  rule('1password-key', ['a3-'], `A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}`, {
    distinctMin: 12,
  }),
  rule('age-key', ['age-secret-key-1'], `AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}`, { accept: () => true }),
  rule('maxmind-key', ['_mmk'], `${alnum}{6}_${alnum}{29}_mmk`, { back: 36 }),
  rule('readme-key', ['rdme_'], `rdme_[a-z0-9]{70}`),
  rule('typeform-token', ['tfp_'], `tfp_[A-Za-z0-9_.=-]{59}`),
  rule('contentful-token', ['cfpat-'], `CFPAT-${word}{43}`),
  rule('octopus-key', ['api-'], `API-[A-Z0-9]{25,27}`, {
    distinctMin: 12,
    accept: (value) => distinct(value) >= 12 && /\d.*\d.*\d/.test(value),
  }),
  rule('intra42-secret', ['s-s4t2'], `s-s4t2(?:ud|af)-${hex}{64}`),
  rule('settlemint-token', ['sm_aat_', 'sm_pat_', 'sm_sat_'], `sm_[aps]at_${alnum}{16}`),
  rule('mapbox-token', ['sk.eyj'], `sk\\.eyJ${word}{40,200}\\.${word}{16,60}`),
  rule('duffel-token', ['duffel_'], `duffel_(?:test|live)_[A-Za-z0-9_=-]{43}`),
  rule('netlify-token', ['nfp_'], `nfp_${alnum}{36,44}`),
  // Forms shared by many
  rule('jwt', ['eyj'], `eyJ[A-Za-z0-9_=-]{8,2000}\\.[A-Za-z0-9_=-]{4,8000}\\.[A-Za-z0-9_=/+-]{8,2000}`, { accept: isJwt }),
  rule('bundler-credentials', ['bundle_'], `BUNDLE_[A-Z0-9_]{4,80}["']?\\s{0,3}[:=]\\s{0,3}["']?([\\w.-]{4,60}:[\\w.-]{4,80})`, {
    distinctMin: 5,
  }),
]
