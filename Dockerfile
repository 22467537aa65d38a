# One image for all commands. Pin both bases by digest where it is built: --build-arg BUILD_IMAGE=node@sha256:...
ARG BUILD_IMAGE=node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="pullkeeper" \
      org.opencontainers.image.description="Image pull secrets on Kubernetes that are nobody's work" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY manifests/examples manifests/examples
USER 65532:65532
ENV NODE_ENV=production
EXPOSE 8443 9090 9091
ENTRYPOINT ["/nodejs/bin/node", "dist/cli/main.js"]
CMD ["--help"]
