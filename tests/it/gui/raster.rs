//! Draws egui's triangles on the CPU: the same pixels on every machine, without a GPU and its drivers.

use std::collections::HashMap;

use egui::epaint::{Primitive, Vertex};
use egui::{Color32, ColorImage, ImageData, Pos2, Rect, TextureFilter, TextureId, TexturesDelta};
use egui_kittest::TestRenderer;
use image::{Rgba, RgbaImage};

/// The textures that egui has handed over.
#[derive(Default)]
pub(super) struct Raster {
    textures: HashMap<TextureId, (ColorImage, TextureFilter)>,
}

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, images) in delta.set.drain() {
            for part in images {
                let ImageData::Color(image) = &part.image;
                match part.pos {
                    None => drop(self.textures.insert(id, (image.as_ref().clone(), part.options.magnification))),
                    Some([left, top]) => {
                        let (whole, _) = self.textures.get_mut(&id).expect("a part of a known texture");
                        for y in 0..image.height() {
                            for x in 0..image.width() {
                                whole[(left + x, top + y)] = image[(x, y)];
                            }
                        }
                    }
                }
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(&mut self, ctx: &egui::Context, output: &egui::FullOutput) -> Result<RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let mut canvas = RgbaImage::from_pixel(size.x.round() as u32, size.y.round() as u32, Rgba([0, 0, 0, 255]));
        for clipped in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = &clipped.primitive else { continue };
            let (texture, filter) = self.textures.get(&mesh.texture_id).ok_or("an unknown texture")?;
            let clip = clipped.clip_rect * scale;
            for corners in mesh.indices.chunks_exact(3) {
                let corners = [0, 1, 2].map(|n| mesh.vertices[corners[n] as usize]);
                triangle(&mut canvas, clip, scale, corners, (texture, *filter));
            }
        }
        Ok(canvas)
    }
}

/// Twice the area of a triangle, positive when it turns as the screen's axes do.
fn area(a: Pos2, b: Pos2, c: Pos2) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Of a pixel on the edge of two triangles, one is the owner: the one of which it is a top or a left edge.
fn owns(from: Pos2, to: Pos2) -> bool {
    to.y < from.y || (to.y == from.y && to.x > from.x)
}

fn triangle(
    canvas: &mut RgbaImage,
    clip: Rect,
    scale: f32,
    mut corners: [Vertex; 3],
    texture: (&ColorImage, TextureFilter),
) {
    let at = |corner: &Vertex| (corner.pos.to_vec2() * scale).to_pos2();
    let whole = area(at(&corners[0]), at(&corners[1]), at(&corners[2]));
    if whole == 0.0 || !whole.is_finite() {
        return;
    }
    if whole < 0.0 {
        corners.swap(1, 2);
    }
    let [a, b, c] = [0, 1, 2].map(|n| at(&corners[n]));
    let bounds = Rect::from_points(&[a, b, c]).intersect(clip);
    let end = |value: f32, size: u32| (value.ceil().max(0.0) as u32).min(size);
    for y in bounds.top().floor().max(0.0) as u32..end(bounds.bottom(), canvas.height()) {
        for x in bounds.left().floor().max(0.0) as u32..end(bounds.right(), canvas.width()) {
            let pixel = Pos2::new(x as f32 + 0.5, y as f32 + 0.5);
            let parts = [area(b, c, pixel), area(c, a, pixel), area(a, b, pixel)];
            let edges = [(b, c), (c, a), (a, b)];
            let inside =
                parts.iter().zip(edges).all(|(part, (from, to))| *part > 0.0 || (*part == 0.0 && owns(from, to)));
            if inside && clip.contains(pixel) {
                let weights = parts.map(|part| part / whole.abs());
                blend(canvas.get_pixel_mut(x, y), shade(&corners, weights, texture));
            }
        }
    }
}

/// The colour of a pixel, premultiplied, each channel from 0 to 1.
fn shade(corners: &[Vertex; 3], weights: [f32; 3], (image, filter): (&ColorImage, TextureFilter)) -> [f32; 4] {
    let sum = |of: &dyn Fn(&Vertex) -> f32| -> f32 {
        corners.iter().zip(weights).map(|(corner, part)| of(corner) * part).sum()
    };
    let (u, v) = (sum(&|corner| corner.uv.x), sum(&|corner| corner.uv.y));
    let texel = sample(image, u, v, filter);
    [0, 1, 2, 3].map(|n: usize| sum(&|corner| f32::from(corner.color.to_array()[n]) / 255.0) * texel[n])
}

fn sample(image: &ColorImage, u: f32, v: f32, filter: TextureFilter) -> [f32; 4] {
    let [width, height] = image.size;
    let channels = |x: f32, y: f32| {
        let x = (x.max(0.0) as usize).min(width - 1);
        let y = (y.max(0.0) as usize).min(height - 1);
        Color32::to_array(&image[(x, y)]).map(|channel| f32::from(channel) / 255.0)
    };
    let (x, y) = (u * width as f32, v * height as f32);
    if filter == TextureFilter::Nearest {
        return channels(x.floor(), y.floor());
    }
    let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
    let (right_part, bottom_part) = (x - 0.5 - left, y - 0.5 - top);
    let mut mixed = [0.0; 4];
    for (dx, dy, part) in [
        (0.0, 0.0, (1.0 - right_part) * (1.0 - bottom_part)),
        (1.0, 0.0, right_part * (1.0 - bottom_part)),
        (0.0, 1.0, (1.0 - right_part) * bottom_part),
        (1.0, 1.0, right_part * bottom_part),
    ] {
        let texel = channels(left + dx, top + dy);
        (0..4).for_each(|n| mixed[n] += texel[n] * part);
    }
    mixed
}

/// Over what is there, as egui's painters do it: without linear light.
fn blend(pixel: &mut Rgba<u8>, [r, g, b, a]: [f32; 4]) {
    for (channel, over) in pixel.0.iter_mut().zip([r, g, b]) {
        let value = over * 255.0 + f32::from(*channel) * (1.0 - a);
        *channel = value.round().clamp(0.0, 255.0) as u8;
    }
}
