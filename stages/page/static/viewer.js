// One mesh or cloud in 3D on WebGL 2, y up: drag or arrow keys turn it, wheel, pinch, + and - zoom, 0 goes back.

const VERTEX = `#version 300 es
uniform mat3 turn;
uniform vec3 lens;  // focal length over width, over height; distance of the eye
uniform float size;  // of a point in pixels at distance 1
in vec3 position;
in vec3 colour;
out vec3 seen;
out vec3 tint;
void main() {
  seen = turn * position - vec3(0, 0, lens.z);
  tint = colour;
  gl_Position = vec4(seen.xy * lens.xy, -1.02 * seen.z - 0.2, -seen.z);
  gl_PointSize = size / -seen.z;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform lowp int kind;  // 0 triangles, 1 points, 2 the ground
uniform vec3 haze;  // colour of what is far: points behind fade into it
uniform vec3 lens;
in vec3 seen;
in vec3 tint;
out vec4 pixel;
void main() {
  if (kind == 2) {
    pixel = vec4(0, 0, 0, 0.22 * smoothstep(1.0, 0.0, length(tint.xy)));
    return;
  }
  vec3 normal;
  if (kind == 1) {
    vec2 at = gl_PointCoord * 2.0 - 1.0;
    if (dot(at, at) > 1.0) discard;
    normal = vec3(at.x, -at.y, sqrt(1.0 - dot(at, at)));
  } else {
    normal = normalize(cross(dFdx(seen), dFdy(seen)));  // of the flat triangle, towards the eye
  }
  float light = 0.42 + 0.58 * max(dot(normal, normalize(vec3(-0.35, 0.6, 0.75))), 0.0)
    + 0.12 * max(dot(normal, vec3(0.8, -0.2, 0.5)), 0.0);
  float behind = kind == 1 ? clamp((-seen.z - lens.z + 1.0) * 0.5, 0.0, 1.0) * 0.45 : 0.0;
  pixel = vec4(mix(tint * light, haze, behind), 1);
}`;

const HOME = { yaw: 0.6, pitch: 0.35, zoom: 1 };
const FOCAL = 2.6, EYE = 3.0;
const STEP = 0.12;  // radians a key turns

export class Viewer {
  /** Draws into `canvas`; throws where the browser has no WebGL 2. */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { alpha: true, antialias: true });
    if (!this.gl) throw new Error("no WebGL 2");
    this.pose = { ...HOME };
    this.shape = null;
    this.surface = true;
    this.colours = null;
    this.prepare();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("webglcontextlost", event => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.prepare(); if (this.shape) this.load(); });
  }

  /** Show points Float32Array [P * 3], and vertices [V * 3] with faces Uint32Array [F * 3] of a mesh. */
  show(shape) {
    this.shape = shape;
    this.colours = null;
    this.surface = shape.faces.length > 0;
    this.pose = { ...HOME };
    this.load();
  }

  /** Draw the surface, or the points. */
  drawSurface(wanted) {
    this.surface = wanted && this.shape.faces.length > 0;
    this.draw();
  }

  /** Colour the points: Uint8Array [P * 3], or null for one colour. */
  colourPoints(colours) {
    this.colours = colours;
    if (colours) this.fill(this.buffers.tints, this.gl.ARRAY_BUFFER, colours);
    this.draw();
  }

  /** Look from `direction` [x, y, z], from the object to the eye; from above or below x stays to the right. */
  lookFrom([x, y, z]) {
    const pole = Math.hypot(x, z) < 0.5;
    this.pose.yaw = pole ? 0 : -Math.atan2(x, z);
    this.pose.pitch = Math.atan2(y, pole ? z : Math.hypot(x, z));
    this.draw();
  }

  reset() {
    this.pose = { ...HOME };
    this.draw();
  }

  prepare() {
    const gl = this.gl;
    this.program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.bindAttribLocation(this.program, 0, "position");
    gl.bindAttribLocation(this.program, 1, "colour");
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(gl.getProgramInfoLog(this.program));
    this.at = Object.fromEntries(["turn", "lens", "size", "kind", "haze"]
      .map(name => [name, gl.getUniformLocation(this.program, name)]));
    this.buffers = Object.fromEntries(["points", "tints", "vertices", "faces", "ground", "rim"]
      .map(name => [name, gl.createBuffer()]));
    gl.enable(gl.DEPTH_TEST);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  fill(buffer, target, values) {
    this.gl.bindBuffer(target, buffer);
    this.gl.bufferData(target, values, this.gl.STATIC_DRAW);
  }

  load() {
    const { gl, shape, buffers } = this;
    this.fill(buffers.points, gl.ARRAY_BUFFER, shape.points);
    this.fill(buffers.vertices, gl.ARRAY_BUFFER, shape.vertices);
    this.fill(buffers.faces, gl.ELEMENT_ARRAY_BUFFER, shape.faces);
    if (this.colours) this.fill(buffers.tints, gl.ARRAY_BUFFER, this.colours);
    const [low, wide] = extent(shape.faces.length ? shape.vertices : shape.points);
    const corners = [[-1, -1], [1, -1], [-1, 1], [1, 1]], side = wide * 1.35;
    this.fill(buffers.ground, gl.ARRAY_BUFFER,
      new Float32Array(corners.flatMap(([x, z]) => [x * side, low - 0.01, z * side])));
    this.fill(buffers.rim, gl.ARRAY_BUFFER, new Float32Array(corners.flatMap(([x, z]) => [x, z, 0])));
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const { gl, canvas, shape, buffers, at, pose } = this;
    const scale = Math.min(devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (!width || !height || gl.isContextLost()) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!shape) return;
    const eye = EYE / pose.zoom, side = Math.min(width, height);
    gl.useProgram(this.program);
    gl.uniformMatrix3fv(at.turn, false, turn(pose));
    gl.uniform3f(at.lens, FOCAL * side / width, FOCAL * side / height, eye);
    const style = getComputedStyle(canvas);
    gl.uniform3fv(at.haze, rgb(style.getPropertyValue("--card")));
    gl.vertexAttrib3fv(1, rgb(style.getPropertyValue("--object")));
    if (this.surface) this.drawTriangles();
    else this.drawPoints(side);
    if (pose.pitch > 0) this.drawGround();
  }

  drawTriangles() {
    const { gl, buffers, at, shape } = this;
    gl.uniform1i(at.kind, 0);
    this.attribute(0, buffers.vertices, gl.FLOAT);
    gl.disableVertexAttribArray(1);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.faces);
    gl.drawElements(gl.TRIANGLES, shape.faces.length, gl.UNSIGNED_INT, 0);
  }

  drawPoints(side) {
    const { gl, buffers, at, shape } = this, count = shape.points.length / 3;
    gl.uniform1i(at.kind, 1);
    gl.uniform1f(at.size, side * Math.max(0.015, 2.6 / Math.sqrt(count)));
    this.attribute(0, buffers.points, gl.FLOAT);
    if (this.colours) this.attribute(1, buffers.tints, gl.UNSIGNED_BYTE);
    else gl.disableVertexAttribArray(1);
    gl.drawArrays(gl.POINTS, 0, count);
  }

  drawGround() {
    const { gl, buffers, at } = this;
    gl.uniform1i(at.kind, 2);
    this.attribute(0, buffers.ground, gl.FLOAT);
    this.attribute(1, buffers.rim, gl.FLOAT);
    gl.enable(gl.BLEND);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.disable(gl.BLEND);
  }

  attribute(place, buffer, type) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.enableVertexAttribArray(place);
    this.gl.vertexAttribPointer(place, 3, type, true, 0, 0);
  }

  listen() {
    const { canvas } = this, fingers = new Map();
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event);
    });
    canvas.addEventListener("pointermove", event => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      if (fingers.size === 1) {
        this.turnBy((event.clientX - before.clientX) * 0.01, (event.clientY - before.clientY) * 0.01);
      } else {
        const other = [...fingers.values()].find(finger => finger.pointerId !== event.pointerId);
        const apart = finger => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY) || 1;
        this.zoomBy(apart(event) / apart(before));
      }
      fingers.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, event => fingers.delete(event.pointerId));
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * 0.001));
    }, { passive: false });
    const keys = {
      ArrowLeft: () => this.turnBy(-STEP, 0), ArrowRight: () => this.turnBy(STEP, 0),
      ArrowUp: () => this.turnBy(0, -STEP), ArrowDown: () => this.turnBy(0, STEP),
      "+": () => this.zoomBy(1.1), "=": () => this.zoomBy(1.1), "-": () => this.zoomBy(1 / 1.1), 0: () => this.reset(),
    };
    canvas.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  turnBy(yaw, pitch) {
    this.pose.yaw += yaw;
    this.pose.pitch = Math.min(Math.max(this.pose.pitch + pitch, -Math.PI / 2), Math.PI / 2);
    this.draw();
  }

  zoomBy(factor) {
    this.pose.zoom = Math.min(Math.max(this.pose.zoom * factor, 0.4), 2.2);
    this.draw();
  }
}

/** Rotation about y by yaw, then about x by pitch, column by column. */
function turn({ yaw, pitch }) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [cy, sp * sy, -cp * sy, 0, cp, sp, sy, -sp * cy, cp * cy];
}

/** Lowest y of positions, and the farthest that they reach from the y axis. */
function extent(positions) {
  let low = Infinity, wide = 0;
  for (let n = 0; n < positions.length; n += 3) {
    low = Math.min(low, positions[n + 1]);
    wide = Math.max(wide, Math.hypot(positions[n], positions[n + 2]));
  }
  return [low, wide];
}

/** "#rrggbb" as three numbers from 0 to 1. */
export function rgb(hex) {
  return [1, 3, 5].map(at => parseInt(hex.trim().slice(at, at + 2), 16) / 255);
}
