/** The page that shows the configuration. Everything on it comes from this server. */
import { escapeHtml } from '../platform/visible.ts'
import { treeOf } from './tree.ts'
import { yamlLines } from './yaml-lines.ts'

export interface PageInput {
  /** The `Butler` section as it may be shown. */
  readonly butler: Readonly<Record<string, unknown>>
  readonly yaml: string
  readonly masked: boolean
  readonly version: string
  readonly nonce: string
}

export function configPage({ butler, yaml, masked, version, nonce }: PageInput): string {
  const sections = Object.keys(butler).map(
    (name) => `<a href="#s-${escapeHtml(name)}" data-section="${escapeHtml(name)}">${escapeHtml(name)}</a>`,
  )
  const state = masked
    ? '<span class="badge" title="Secrets and addresses are replaced by stars">masked</span>'
    : '<span class="badge open" title="Butler.configVisualisation.obfuscate is false">not masked</span>'
  const what = masked ? 'masked ' : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Footman configuration</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/view.css">
<script src="/view.js" nonce="${nonce}" defer></script>
</head>
<body>
<header>
<img src="/icon.svg" alt="" width="32" height="32">
<div class="title"><h1>Current configuration</h1><p>Footman ${escapeHtml(version)} ${state}</p></div>
<div class="actions">
<a class="button" href="/config.yaml" download="config.yaml">Download ${what}YAML</a>
<a class="button quiet" href="/config.json" download="config.json">JSON</a>
<button type="button" class="quiet" id="theme" title="Light or dark" aria-label="Switch between light and dark"></button>
</div>
</header>
<div class="bar">
<div role="tablist" aria-label="Form">
<button type="button" role="tab" id="tab-yaml" aria-controls="yaml" aria-selected="true">YAML</button>
<button type="button" role="tab" id="tab-json" aria-controls="json" aria-selected="false" tabindex="-1">JSON tree</button>
</div>
<label class="search"><span>Find</span><input type="search" id="find" placeholder="key or value" autocomplete="off" spellcheck="false"></label>
<output id="hits" for="find"></output>
<button type="button" class="quiet" id="fold" hidden>Unfold all</button>
</div>
<div class="columns">
<nav aria-label="Sections">${sections.join('')}</nav>
<main>
<section id="yaml" role="tabpanel" aria-labelledby="tab-yaml" tabindex="0"><pre><code>${yamlLines(yaml)}</code></pre></section>
<section id="json" role="tabpanel" aria-labelledby="tab-json" tabindex="0" hidden><div class="tree">${treeOf(butler)}</div></section>
</main>
</div>
</body>
</html>
`
}
