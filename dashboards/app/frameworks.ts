/** Names of the framework ids our detectors map to, so that nobody has to look one up in the middle of an incident. */
import type { Mapping } from '../../schemas/alert.ts'

export const frameworks: Readonly<Record<keyof Mapping, string>> = {
  family: 'Detector family',
  attack: 'MITRE ATT&CK',
  atlas: 'MITRE ATLAS',
  cosai: 'CoSAI MCP threats',
  owaspMcp: 'OWASP MCP Top 10',
  owaspAsi: 'OWASP Agentic Top 10',
  safeMcp: 'SAFE-MCP',
}

const names = new Map<string, string>([
  ['D1', 'Definition lint'],
  ['D2', 'Definition drift and cloaking'],
  ['D3', 'Cross-server reference'],
  ['D4', 'Orders in content'],
  ['D5', 'Content flow, source to sink'],
  ['D10', 'Server-side request forgery'],
  ['D11', 'Argument injection'],
  ['D12', 'Path and URI rules'],
  ['D16', 'Loops and volume'],
  ['D17', 'Handle custody'],
  ['T1005', 'Data from Local System'],
  ['T1036', 'Masquerading'],
  ['T1059', 'Command and Scripting Interpreter'],
  ['T1083', 'File and Directory Discovery'],
  ['T1090', 'Proxy'],
  ['T1190', 'Exploit Public-Facing Application'],
  ['T1195', 'Supply Chain Compromise'],
  ['T1195.002', 'Compromise Software Supply Chain'],
  ['T1204', 'User Execution'],
  ['T1499', 'Endpoint Denial of Service'],
  ['T1543', 'Create or Modify System Process'],
  ['T1546', 'Event Triggered Execution'],
  ['T1550', 'Use Alternate Authentication Material'],
  ['T1552.001', 'Credentials In Files'],
  ['T1552.005', 'Cloud Instance Metadata API'],
  ['T1563', 'Remote Service Session Hijacking'],
  ['T1567', 'Exfiltration Over Web Service'],
  ['T1659', 'Content Injection'],
  ['AML.T0051', 'LLM Prompt Injection'],
  ['AML.T0051.001', 'LLM Prompt Injection: Indirect'],
  ['AML.T0053', 'AI Agent Tool Invocation'],
  ['AML.T0080', 'AI Agent Context Poisoning'],
  ['AML.T0081', 'Modify AI Agent Configuration'],
  ['AML.T0086', 'Exfiltration via AI Agent Tool Invocation'],
  ['AML.T0098', 'AI Agent Tool Credential Harvesting'],
  ['AML.T0099', 'AI Agent Tool Data Poisoning'],
  ['AML.T0101', 'Data Destruction via AI Agent Tool Invocation'],
  ['AML.T0104', 'Publish Poisoned AI Agent Tool'],
  ['AML.T0109', 'AI Supply Chain Rug Pull'],
  ['AML.T0110', 'AI Agent Tool Poisoning'],
  ['MCP01', 'Token mismanagement and secret exposure'],
  ['MCP02', 'Scope creep'],
  ['MCP03', 'Tool poisoning'],
  ['MCP04', 'Supply chain'],
  ['MCP05', 'Command injection'],
  ['MCP06', 'Intent flow subversion'],
  ['MCP07', 'Authentication and authorization'],
  ['MCP08', 'Lack of audit and telemetry'],
  ['MCP09', 'Shadow MCP servers'],
  ['MCP10', 'Context injection and over-sharing'],
  ['ASI01', 'Agent goal hijack'],
  ['ASI02', 'Tool misuse and exploitation'],
  ['ASI03', 'Identity and privilege abuse'],
  ['ASI04', 'Agentic supply chain vulnerabilities'],
  ['ASI05', 'Unexpected code execution'],
  ['ASI06', 'Memory and context poisoning'],
  ['ASI07', 'Insecure inter-agent communication'],
  ['ASI08', 'Cascading failures'],
  ['ASI09', 'Human-agent trust exploitation'],
  ['ASI10', 'Rogue agents'],
])

export const nameOf = (id: string): string | undefined => names.get(id)

/** Where it is described, as text: the page leads nowhere else by itself. */
export function addressOf(framework: keyof Mapping, id: string): string | undefined {
  if (framework === 'attack') return `attack.mitre.org/techniques/${id.replace('.', '/')}`
  if (framework === 'atlas') return `atlas.mitre.org/techniques/${id}`
  return undefined
}
