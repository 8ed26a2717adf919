/** Sides are named by the direction of reading, so that the page can be turned around. */
export const style = `
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --link: light-dark(#0550ae, #79b8ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-inline-size: 60rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
h2 { margin-block-start: 3rem; border-block-end: 1px solid var(--line); }
h3 { margin-block-start: 2.5rem; }
nav ul { list-style: none; padding-inline-start: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .875em; direction: ltr; unicode-bidi: isolate; }
pre { overflow-x: auto; padding: .75rem; background: var(--soft); text-align: start; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; inline-size: 100%; font-size: .9375em; }
th, td { padding: .375rem .5rem; text-align: start; vertical-align: top; border-block-end: 1px solid var(--line); }
.path { padding: .5rem .75rem; border-inline-start: .25rem solid var(--link); background: var(--soft); }
`
