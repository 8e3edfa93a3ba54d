import time
def test_x(tiny_materials, make_pipeline, tmp_path):
    import torch; torch.set_num_threads(1)
    from occbench.bench.train import train
    from occbench.bench.pipeline import ActivationCache
    t=time.time(); m = tiny_materials(); print("materials", time.time()-t, len(m.train), len(m.validation), len(m.test), len(m.pairs), len(m.test_conditions))
    for name in ("tiny","torchvision/resnet18"):
        p = make_pipeline(name=name)
        for arm in m.benchmark.arms.values():
            t=time.time(); train(p, arm.build(), arm, m, seed=0, folder=tmp_path/name/arm.method.name/str(arm.add_occluded), cache=ActivationCache()); print(name, time.time()-t)
