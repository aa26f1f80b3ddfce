# One image for all roles of the cluster size; LAPWING_ROLE says which. The embedded engine (chdb) and the node binaries that npm
# brings are optional dependencies and stay out: a role alone has its bus and its store elsewhere.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# The bundler's own binary is an optional dependency too, so this stage has them all; only the page leaves it.
FROM node:24.21.0-bookworm-slim AS page
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY dashboards ./dashboards
COPY schemas ./schemas
RUN node node_modules/vite/bin/vite.js build --logLevel warn --config dashboards/vite.config.ts

FROM node:24.21.0-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node -m 0700 /data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE main.ts ./
COPY schemas ./schemas
COPY collectors ./collectors
COPY detectors ./detectors
COPY api ./api
COPY dashboards ./dashboards
COPY demo ./demo
COPY commands ./commands
COPY deploy/demo ./deploy/demo
COPY --from=page /app/dashboards/dist ./dashboards/dist
# One thread of V8's beside the one that works: four of them would compete with it for the cores of a small container.
ENV NODE_ENV=production \
    NODE_OPTIONS=--v8-pool-size=1 \
    LAPWING_DATA_DIR=/data
# Code belongs to root and is only read; what is written goes to /data and /tmp.
USER 1000:1000
# OTLP/gRPC, OTLP/HTTP, page and API, health and metrics of roles without the API.
EXPOSE 4317 4318 7878 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s --retries=6 \
  CMD ["node", "-e", "const { LAPWING_ROLE: role = 'all', LAPWING_API_PORT: api = 7878, LAPWING_OPS_PORT: ops = 9464 } = process.env; fetch(`http://127.0.0.1:${role === 'all' || role === 'serve' ? api : ops}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/main.ts"]
CMD ["start"]
