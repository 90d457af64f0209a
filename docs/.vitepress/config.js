// The site of the documents, in four parts: `npm run docs` builds it into .build/site. Links into the repository go there.

import { defineConfig } from 'vitepress';

const slugify = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
const page = (text, link) => ({ text, link });

export default defineConfig({
  title: 'Aorta',
  description: 'A SIP registrar and location service',
  outDir: '../.build/site',
  cacheDir: '../.build/site-cache',
  cleanUrls: true,
  // Angle brackets in the documents are text; anchors are GitHub's, so that a link holds in both places.
  markdown: { html: false, anchor: { slugify } },
  ignoreDeadLinks: [
    /^(?:\.\/|\.\.\/)*(?:README|LICENSE|deploy|grafana|sipp|decisions$|\.\.)/,
    /\.(?:ya?ml|json|xml|csv|conf|service|socket)$/,
    /^https:\/\/localhost/,
  ],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Start', '/'),
      page('Operate', '/operating'),
      page('Embed', '/embedding'),
      page('Understand', '/architecture'),
    ],
    sidebar: [
      {
        text: 'Start',
        items: [
          page('First phone', '/'),
          page('Beside others', '/compare'),
          page('Moving from another registrar', '/migration'),
        ],
      },
      {
        text: 'Operate',
        items: [
          page('Operating', '/operating'),
          page('Configuration', '/configuration'),
          page('Proxies', '/proxies'),
          page('Cluster', '/cluster'),
          page('Kubernetes', '/deploy/helm/README'),
          page('Security', '/security'),
          page('SIPp', '/sipp/README'),
          page('Changes', '/changelog'),
        ],
      },
      {
        text: 'Embed',
        items: [page('A registrar in a program', '/embedding'), page('The parser', '/parser')],
      },
      {
        text: 'Understand',
        items: [
          page('Architecture', '/architecture'),
          page('Conformance', '/conformance'),
          page('Benchmarks', '/benchmarks'),
          page('How they are measured', '/benchmarks-method'),
          page('What was tried', '/benchmarks-tried'),
          page('Working on Aorta', '/hacking'),
          page('Tests', '/testing'),
          page('Dependencies', '/dependencies'),
          page('Versions and releases', '/releasing'),
        ],
      },
    ],
  },
});
